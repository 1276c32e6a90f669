/** Writes a merged model away from the page's thread and from the trainer. */
import { exportMerged } from '../src/session/merged-export.ts';
import { serveOneJob } from './one-job.ts';

serveOneJob(exportMerged);
