/** Reading files that the user chose a while ago: by now they may have been changed, moved or deleted. */
import { isFileGone, LorikeetError } from '../protocol/errors.ts';

/**
 * Reads something of a chosen file.
 * @param file what errors call it
 * @throws LorikeetError "file-missing" naming the file when it is no longer as it was chosen; else what `read` throws
 */
export async function readChosen<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isFileGone(error)) throw error;
    throw new LorikeetError('file-missing', `${file} has been changed, moved or deleted since it was chosen.`, 'Choose the files again; what is loaded so far stays.', { file }, { cause: error });
  }
}
