/** First thing in the trainer's worker when npm run soak serves it; the page that is built and published has nothing of it. */
import { installClock } from './clock.ts';
import { installFiles } from './files.ts';
import { installGpu } from './gpu.ts';
import { installMessages } from './messages.ts';
import { installStorage } from './storage.ts';

installClock();
installMessages();
installStorage();
installFiles();
installGpu();
