/** Describes a log away from the page's thread. */
import type { DescriptionRequest } from '../src/imports/messages.ts';
import { describeRun } from '../src/reports/description.ts';
import { unpackRun } from '../src/reports/packed-run.ts';
import { readImported } from '../src/storage/imported-logs.ts';
import { serveOneJob } from './one-job.ts';

serveOneJob(async ({ id, run }: DescriptionRequest) => describeRun(unpackRun(run ?? (await readImported(id)))));
