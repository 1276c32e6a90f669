/** Opens and reads annotations from CVAT away from the page's thread. */
import { cvatFiles } from '../src/data/cvat-drop.ts';
import { convertCvat, type CvatConversion, type CvatOpening, type CvatParts } from '../src/data/cvat-parts.ts';
import type { PathFile } from '../src/protocol/messages.ts';
import { serveOneJob } from './one-job.ts';

serveOneJob<CvatOpening | CvatConversion, PathFile[] | null | CvatParts>((request) => (request.kind === 'open' ? cvatFiles(request.files) : convertCvat(request)));
