/** The folder that a folder lies in; undefined for the root. A key may begin with a slash: `/` is a folder in the root, too. */
export const parentOf = (folder: string): string | undefined => {
  if (folder === '') return undefined
  return folder === '/' ? '' : folder.slice(0, folder.lastIndexOf('/', folder.length - 2) + 1)
}
