/** SVG text to PNG by the browser itself. */

/** Twice the size on paper: sharp in a document. */
const SCALE = 2;

/** @throws Error when the browser cannot draw it */
export async function rasterise(svg: string): Promise<Blob> {
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? ['', '800', '400'];
  const image = new Image();
  const url = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  try {
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = Number(width) * SCALE;
    canvas.height = Number(height) * SCALE;
    const context = canvas.getContext('2d');
    if (!context) throw new Error('This browser gives no canvas to draw on.');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise<Blob>((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The chart could not be drawn.')))));
  } finally {
    URL.revokeObjectURL(url);
  }
}
