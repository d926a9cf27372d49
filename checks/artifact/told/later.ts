/** Whether an object was written after the manifest was: whoever did it may have meant to. Times in milliseconds since the epoch. */
export const isLater = (modified: number | undefined, manifest: { readonly writtenAt: number } | undefined): boolean =>
  modified !== undefined && modified > (manifest?.writtenAt ?? Number.NaN)
