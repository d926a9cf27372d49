import { count } from '../../words.ts'
import type { Folder, FolderFinding, FolderRule, Sized, Tree } from '../folders.ts'
import { parentOf } from './parent-of.ts'

/** Hadoop's local file system keeps a checksum of 4 bytes for each 512, after a header of 8 (`ChecksumFileSystem`). */
const blockBytes = 512
const otherBlocks = [64, 128, 256, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536]
const headerBytes = 8
const checksumBytes = 4
const sidecarName = /^\.(part-.+)\.crc$/
/** `part-00000-<uuid>-c000.snappy.parquet` and `part-00000-<uuid>.…` of Spark's tables; `part-00000` of its texts. */
const tablePart = /^part-\d{5}-[\da-f]{8}-[\da-f]{4}-/
const textPart = /^part-\d{5}$/
/** A listing of a folder of many parts is told by a few of them. */
const mostNamed = 5

/** How a part and the file of its checksums differ in what they say of its size. */
const judgeSidecar = (
  part: Sized | undefined,
  sidecar: Sized,
): Pick<FolderFinding, 'because' | 'severity'> | undefined => {
  const blocks = (sidecar.size - headerBytes) / checksumBytes
  if (part === undefined) {
    const because = `its checksums are stored without it, for ${count(blocks, 'block')} of ${blockBytes} bytes`
    return { because, severity: blocks > 0 ? 'error' : 'warning' }
  }
  const own = Math.ceil(part.size / blockBytes)
  if (own === blocks) return undefined
  const because = `it has ${count(own, 'block')} of ${blockBytes} bytes, and checksums of ${blocks}`
  return { because, severity: own < blocks ? 'error' : 'warning' }
}

const isWholeSidecar = ({ size }: Sized): boolean => size >= headerBytes && (size - headerBytes) % checksumBytes === 0

interface Sidecar {
  readonly name: string
  readonly part: string
  readonly sidecar: Sized
}

/** Blocks of another size, which `io.bytes.per.checksum` sets, explain all of the differences at once. */
const haveOtherBlocks = (folder: Folder, sidecars: readonly Sidecar[]): boolean =>
  otherBlocks.some((bytes) =>
    sidecars.every(({ part, sidecar }) => {
      const size = folder.files.get(part)?.size
      return size !== undefined && Math.ceil(size / bytes) === (sidecar.size - headerBytes) / checksumBytes
    }),
  )

function* judgeSidecars(path: string, folder: Folder): Generator<FolderFinding> {
  const sidecars: Sidecar[] = []
  for (const [name, sidecar] of folder.files) {
    const part = sidecarName.exec(name)?.[1]
    if (part !== undefined) sidecars.push({ name, part, sidecar })
  }
  const odd = sidecars.flatMap(({ name, part, sidecar }) => {
    if (!isWholeSidecar(sidecar)) {
      return [
        {
          path: `${path}${name}`,
          because: `it has ${count(sidecar.size, 'byte')}, as no file of checksums has`,
          severity: 'warning' as const,
        },
      ]
    }
    const verdict = judgeSidecar(folder.files.get(part), sidecar)
    return verdict === undefined ? [] : [{ path: `${path}${part}`, ...verdict }]
  })
  if (odd.length > 1 && odd.length === sidecars.length && haveOtherBlocks(folder, sidecars)) return
  for (const finding of odd.slice(0, mostNamed)) yield { ...finding, folder: path }
}

/** The mark, or the log that Delta keeps in its place; of a partitioned table they lie in a folder above. */
const hasMark = (path: string, tree: Tree): boolean => {
  for (let at: string | undefined = path; at !== undefined; at = parentOf(at)) {
    const folder = tree.folders.get(at)
    if (folder?.files.has('_SUCCESS') || folder?.below.has('_delta_log')) return true
  }
  return false
}

/** The parts of what Spark writes: each with its checksums, where a local file system was between, and all with a mark of success. */
export const sparkParts: FolderRule = function* (path, folder, tree): Generator<FolderFinding> {
  yield* judgeSidecars(path, folder)
  const names = [...folder.files.keys()]
  // One part alone may be a copy that somebody made.
  const isTable = names.filter((name) => tablePart.test(name)).length > 1
  const isText = /(?:^|\/)metadata\/$/.test(path) && names.some((name) => textPart.test(name))
  // Databricks marks what it has committed by names of its own.
  if (!(isTable || isText) || names.some((name) => /^_(?:committed|started)_/.test(name)) || hasMark(path, tree)) return
  const because = 'parts that Spark wrote are stored without the mark of success, which can be turned off'
  yield { path: `${path}_SUCCESS`, because, severity: 'warning', folder: path }
}
