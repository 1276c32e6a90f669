import { describe, expect, it } from 'vitest';
import { filesOfDrop } from '../../../src/app/files/collect.ts';

type Tree = { [name: string]: Tree | string };

/** An entry as a drop hands it out: children in batches, an empty batch last. */
function entry(name: string, content: Tree | string): FileSystemEntry {
  if (typeof content === 'string') return { isFile: true, isDirectory: false, name, file: (take: (file: Blob) => void) => take(new Blob([content])) } as unknown as FileSystemEntry;
  const createReader = () => {
    const batches = [Object.entries(content).map(([child, inside]) => entry(child, inside)), []];
    return { readEntries: (take: (entries: FileSystemEntry[]) => void) => take(batches.shift()!) };
  };
  return { isFile: false, isDirectory: true, name, createReader } as unknown as FileSystemEntry;
}

const drop = (entries: FileSystemEntry[]) => filesOfDrop({ items: entries.map((one) => ({ kind: 'file', webkitGetAsEntry: () => one })) } as unknown as DataTransfer);
const nested = (depth: number): Tree => Array.from({ length: depth }).reduce<Tree>((inside) => ({ deeper: inside }), { 'a.txt': 'x' });

describe('a drop', () => {
  it('of one folder has paths inside it, of several things paths with their names', async () => {
    const folder = entry('set', { 'a.json': '[]', images: { 'a.png': 'p' } });
    expect((await drop([folder])).files.map(({ path }) => path)).toEqual(['a.json', 'images/a.png']);
    expect((await drop([folder, entry('b.json', '[]')])).files.map(({ path }) => path)).toEqual(['set/a.json', 'set/images/a.png', 'b.json']);
  });

  it('is walked to the depth that a picked folder is walked to, and refused beyond it', async () => {
    expect((await drop([entry('deep', nested(32))])).files).toHaveLength(1);
    await expect(drop([entry('deep', nested(33))])).rejects.toMatchObject({ code: 'file-too-large', message: expect.stringMatching(/^The folder "deep" holds folders more than 32 deep, at deeper\/deeper/) });
  });
});
