/** English words of the question before code from a file runs, and of views that cannot be shown. */

export const enConsent = {
  consent: {
    title: 'These settings bring code along',
    intro: 'It came from a file or a stored run, not from you. It runs only if you say so; you are asked once for each text. Rewards run where nothing can be reached, but they decide what the model learns.',
    kinds: { reward: 'Reward', expression: 'Expression' },
    agree: 'I have read it: use it',
    refuse: 'Do not use it',
    refused: 'Left as it was: the code was not agreed to.',
  },
  boundary: {
    view: 'This view cannot be shown. The other views work; a run under way goes on.',
    part: (name: string) => `${name} cannot be shown. Everything else on this page works.`,
  },
};
