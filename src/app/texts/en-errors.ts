/** Each kind of failure in its own English words. */

export const enErrors = {
  'webgpu-missing': {
    title: 'This browser offers no WebGPU',
    advice: 'Use a current Chrome, Edge or another browser with WebGPU, with hardware acceleration switched on.',
  },
  'device-lost': {
    title: 'The GPU was lost',
    advice: 'The driver restarted or the computer slept. Restart the trainer and resume from the last save.',
  },
  'out-of-memory': {
    title: 'The GPU has too little memory',
    advice: 'Lower the batch, the maximum length or the image size, or switch 4-bit weights and gradient checkpointing on.',
  },
  'self-test-failed': {
    title: 'This GPU computes wrong numbers',
    advice: 'Update the graphics driver or the browser; training here would give a broken adapter.',
  },
  'storage-full': {
    title: 'The browser’s storage is full',
    advice: 'Delete old runs or free disk space, then save again.',
  },
  'storage-failed': {
    title: 'The browser refused to store the run',
    advice: 'Leave private browsing, allow storage for this page, and try again.',
  },
  'file-missing': { title: 'A file is missing', advice: 'Add it to the folder and choose the folder again.' },
  'file-corrupt': { title: 'A file is damaged', advice: 'Download or export it again.' },
  'file-too-large': { title: 'A file is too large', advice: 'Split it, or leave it out.' },
  'unsupported-model': { title: 'This model is not supported', advice: 'Choose a dense checkpoint of Qwen2-VL, Qwen2.5-VL, Qwen3-VL or Qwen3.5.' },
  'tensor-missing': { title: 'The checkpoint is incomplete', advice: 'Download all *.safetensors files again.' },
  'tensor-shape': { title: 'A weight has the wrong shape', advice: 'Check that config.json belongs to these weights.' },
  tokenizer: { title: 'The tokenizer cannot be read', advice: 'Add tokenizer.json from the model’s page.' },
  'chat-template': { title: 'The chat template cannot be used', advice: 'Add the model’s original chat template.' },
  dataset: { title: 'The data cannot be read', advice: 'Correct the place named here and load it again.' },
  image: { title: 'An image cannot be read', advice: 'Replace it with a valid PNG, JPEG or WebP.' },
  video: { title: 'A video cannot be read', advice: 'Convert it to WebM with VP9 or to MP4 with H.264, or give its frames as pictures.' },
  'sample-too-long': { title: 'A sample is too long', advice: 'Raise the maximum length or lower the image size.' },
  adapter: { title: 'The adapter does not fit', advice: 'Use an adapter made from this model.' },
  config: { title: 'A setting is not valid', advice: 'Correct it; its help text names the allowed values.' },
  'not-finite': {
    title: 'The loss is no longer a number',
    advice: 'Resume from the last save with a lower learning rate or stronger clipping.',
  },
  'run-locked': {
    title: 'This run is open in another tab',
    advice: 'Go on there, or close that tab and try again.',
  },
  'model-locked': { title: 'Another tab is at work on this model', advice: 'Go on there, or close that tab and try again.' },
  'hub-access': { title: 'The Hub refuses access', advice: 'Accept the model’s terms on its page and enter a token that may read it.' },
  'hub-missing': { title: 'The Hub does not have this', advice: 'Check the id and the revision.' },
  'hub-busy': { title: 'The Hub is busy', advice: 'Wait some minutes, then resume: what has arrived is kept.' },
  'hub-offline': { title: 'The Hub cannot be reached', advice: 'Check the connection, then resume: what has arrived is kept.' },
  'hub-answer': { title: 'The Hub answers with something else', advice: 'Look for a proxy or a login page in between, and check the mirror’s address.' },
  'hub-changed': { title: 'This is not what the Hub promised', advice: 'Delete the download and begin again.' },
  resume: { title: 'This run cannot be resumed', advice: 'Load the same model and data that it was started with.' },
  internal: { title: 'Something went wrong inside Lorikeet', advice: 'Restart the trainer; if it happens again, report it with the log.' },
};
