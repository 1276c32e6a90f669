/** Describes a log away from the page's thread. */
import type { DescriptionRequest } from '../src/imports/messages.ts';
import { describeRun } from '../src/reports/description.ts';
import { unpackRun } from '../src/reports/packed-run.ts';
import { serveOneJob } from './one-job.ts';

serveOneJob(({ run }: DescriptionRequest) => Promise.resolve(describeRun(unpackRun(run))));
