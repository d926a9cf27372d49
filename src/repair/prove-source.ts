import { digestRange, scratch, sha256Of } from '../transfer/digest.ts'
import type { Source } from '../transfer/identity.ts'
import { hasDigest, type ManifestFile } from '../transfer/manifest.ts'

/** A local file, or bytes that the store holds elsewhere. */
export type Readable = Pick<Source, 'size' | 'read'>

/** Whether a source may be used to restore a stored one, in words without a full stop. */
export type SourceProof =
  | { readonly is: 'proved'; readonly how: string }
  | { readonly is: 'refused'; readonly why: string }
  | { readonly is: 'unknown' }

const byManifest = async (source: Readable, noted: ManifestFile, signal?: AbortSignal): Promise<SourceProof> => {
  if (noted.size !== source.size) {
    return { is: 'refused', why: `it has ${source.size} bytes, and the manifest says ${noted.size}` }
  }
  const whole = { offset: 0, length: source.size }
  const equal =
    noted.sha256 !== undefined
      ? (await sha256Of(source, signal)) === noted.sha256
      : (await digestRange(source, whole, { md5: false, buffer: scratch(), signal })).crc32 === noted.crc32
  return equal
    ? { is: 'proved', how: 'its checksum is the one in the manifest' }
    : { is: 'refused', why: 'its checksum is not the one in the manifest' }
}

/**
 * Holds a source against what is known of the stored file: the manifest's checksum where there is one, else the rules of
 * its format. Reads all of the file in the first case, a few pieces of it in the second.
 */
export const proveSource = async (
  source: Readable,
  path: string,
  noted: ManifestFile | undefined,
  signal?: AbortSignal,
): Promise<SourceProof> => {
  if (hasDigest(noted)) return byManifest(source, noted, signal)
  const { judge } = await import('../formats/index.ts')
  const read = async (offset: number, length: number) =>
    source.read(new Uint8Array(length), offset, Math.min(length, source.size - offset))
  const { judgement, because, format } = await judge({ size: source.size, read }, path)
  if (judgement === 'broken' || judgement === 'suspect')
    return { is: 'refused', why: `as ${format?.title ?? 'a file'}, ${because}` }
  if (judgement === 'complete') return { is: 'proved', how: `it is whole as ${format?.title ?? 'its format'}` }
  return { is: 'unknown' }
}
