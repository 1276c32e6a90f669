/** English words of use without network and of new versions. */
export const enOffline = {
  offline: {
    title: 'Without network',
    noNetwork: 'You are offline now.',
    kept: {
      unsupported: 'This browser, window or address does not let the page be kept (https or localhost is needed). It works, but only the network can open it.',
      keeping: 'The page is being kept in this browser …',
      page: 'The page opens without network. Your browser saves data: the demo’s model and data are kept once you use them.',
      all: 'The page opens, loads the demo and trains without network. Only models from the Hub have to be downloaded first. It takes 15 MB of this browser’s storage.',
      'no-room': 'There is no room to keep the page. It works, but only the network can open it; delete stored models or runs and try again.',
      unreachable: 'Not all files could be fetched; the page works and tries again at its next start.',
      changed: 'The server has other files than this version: it is being updated, or alters what it sends. The page works and tries again at its next start.',
    },
    install: 'Install as an application',
    hub: 'You are offline. Looking up and downloading wait for the network; models that are stored here open without it.',
    updateReady: 'A new version is ready.',
    updateText: 'The page opens anew with it. Runs stay; model and data are chosen again.',
    updateNow: 'Update',
    updateWhenIdle: 'Update when nothing trains',
    updateWaits: 'The new version opens when no tab trains or downloads any more.',
    later: 'Later',
    notYet: 'Not yet',
  },
};
