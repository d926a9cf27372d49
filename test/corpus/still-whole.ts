/**
 * Cuts that leave a whole file: bytes after the format's end, a second file in the same one, padding that the format lets
 * go of. By the last two parts of a path, the size from which on nothing is lost.
 */
const wholeFrom: Readonly<Record<string, number | readonly number[]>> = {}

export const stillWhole = (path: string, size: number): boolean => {
  const from = wholeFrom[path.split('/').slice(-2).join('/')]
  return typeof from === 'number' ? size >= from : (from?.includes(size) ?? false)
}
