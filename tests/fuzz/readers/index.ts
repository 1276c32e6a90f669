/** All readers of files from outside. */
import type { FuzzReader } from '../reader.ts';
import { adapterReader } from './adapter.ts';
import { annotationReaders } from './annotations.ts';
import { optimizerReader, stateReader } from './checkpoint-state.ts';
import { cvatReader } from './cvat.ts';
import { datasetZipReader } from './dataset-zip.ts';
import { datasetReader } from './dataset.ts';
import { eventReader } from './events.ts';
import { imageHeaderReader, pngReader, unknownMediaReader } from './images.ts';
import { logReader } from './logs.ts';
import { modelTextReaders, weightsReader } from './model.ts';
import { parquetReader } from './parquet.ts';
import { runZipReader } from './run-zip.ts';
import { safetensorsReader } from './safetensors.ts';
import { settingsReader } from './settings.ts';
import { videoReader } from './video.ts';

export const READERS: readonly FuzzReader[] = [
  datasetReader('conversations'), datasetReader('preference'), datasetReader('prompts'), datasetZipReader, parquetReader, cvatReader, ...annotationReaders,
  imageHeaderReader, pngReader, unknownMediaReader, videoReader,
  safetensorsReader, ...modelTextReaders, weightsReader, adapterReader,
  settingsReader, logReader, eventReader, runZipReader, stateReader, optimizerReader,
];
