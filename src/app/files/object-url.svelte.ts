/** An address for a blob that lives as long as the component and the blob. */
export function objectUrl(blob: () => Blob | null | undefined): { readonly url: string | null } {
  let url = $state<string | null>(null);
  $effect(() => {
    const source = blob();
    if (!source) {
      url = null;
      return;
    }
    const made = URL.createObjectURL(source);
    url = made;
    return () => URL.revokeObjectURL(made);
  });
  return {
    get url() {
      return url;
    },
  };
}
