/** The built page in a folder of its own, with the fake trainer in the place of the real one and a list of files that says so. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuild } from '../../tools/browser/ensure-build.ts';
import { listForServiceWorker } from '../../tools/browser/offline.ts';
import { fakeTrainerScript, type FakeScenario } from './fake-trainer.ts';

/** Where a team's server might have it. */
const PLACE = 'team/lorikeet';

export interface FakeBuild {
  /** What a server serves. */
  root: string;
  /** The page's folder below it, without a slash at its ends. */
  place: string;
  /** Changes a file as the next version of the page would. */
  change(path: string, edit: (text: string) => string): void;
  remove(): void;
}

export async function fakeBuild(scenario: FakeScenario): Promise<FakeBuild> {
  const parent = mkdtempSync(join(tmpdir(), 'lorikeet-build-'));
  const root = join(parent, 'site');
  const folder = join(root, PLACE);
  cpSync(await ensureBuild(), folder, { recursive: true });
  // Hundreds of small files that these tests never open.
  rmSync(join(folder, 'demo/video'), { recursive: true });
  const trainer = readdirSync(join(folder, 'assets')).find((name) => name.startsWith('trainer.worker-'));
  if (!trainer) throw new Error('The build has no trainer.');
  writeFileSync(join(folder, 'assets', trainer), await fakeTrainerScript(scenario));
  listForServiceWorker(folder);
  return {
    root,
    place: PLACE,
    change(path, edit) {
      writeFileSync(join(folder, path), edit(readFileSync(join(folder, path), 'utf8')));
      listForServiceWorker(folder);
    },
    remove: () => rmSync(parent, { recursive: true, force: true }),
  };
}
