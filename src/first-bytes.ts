/**
 * The first `most` bytes of a stream; what comes after them is not waited for: the stream is destroyed as soon as it gives
 * more. `alive` is called for each piece that arrives.
 */
export const firstBytes = async (
  stream: AsyncIterable<Uint8Array | string>,
  most: number,
  alive?: () => void,
): Promise<Buffer> => {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of stream) {
    alive?.()
    const bytes = Buffer.from(piece as Uint8Array)
    pieces.push(bytes)
    size += bytes.length
    if (size > most) break
  }
  return Buffer.concat(pieces).subarray(0, most)
}
