/** Hands a file to the user. */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser needs the address a little longer than the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
