/** Packs a run for a cluster away from the page's thread and from the trainer. */
import { packHandoff } from '../src/session/handoff.ts';
import { serveOneJob } from './one-job.ts';

serveOneJob(packHandoff);
