/** Small texts that the stores' APIs have in common. */

export const unquoted = (etag: string | undefined): string | undefined => etag?.replace(/^"|"$/g, '')

/** A CRC32 or CRC-32C as the APIs of S3 and Google write it: four bytes, big-endian, in base64. */
export const crcToBase64 = (crc: number): string => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc)
  return bytes.toString('base64')
}
export const crcFromBase64 = (text: string | undefined): number | undefined =>
  text !== undefined && /^[A-Za-z0-9+/]{6}==$/.test(text) ? Buffer.from(text, 'base64').readUInt32BE() : undefined
