/** Which verifier judges a file: by content first, by name second. The only place to register a format. */
import { arrow } from './arrow.ts'
import { arrowStream } from './arrow-stream.ts'
import { blobWeights } from './blob-weights.ts'
import { isText, isZero } from './bytes.ts'
import { bzip2 } from './bzip2.ts'
import { catboost } from './catboost.ts'
import { coreml } from './coreml.ts'
import { crfsuite } from './crfsuite.ts'
import { fasttext } from './fasttext.ts'
import { feather } from './feather.ts'
import {
  broken,
  CutShort,
  type Format,
  OutOfReads,
  type Peek,
  type RangeSource,
  ShortRead,
  suspect,
  unknown,
  type Verdict,
} from './format.ts'
import { ggml } from './ggml.ts'
import { gguf } from './gguf.ts'
import { gzip } from './gzip.ts'
import { hdf5 } from './hdf5.ts'
import { jpeg } from './jpeg.ts'
import { json, jsonLines } from './json.ts'
import { lightgbm } from './lightgbm.ts'
import { lz4 } from './lz4.ts'
import { lzma } from './lzma.ts'
import { modelText } from './model-text.ts'
import { msgpack } from './msgpack.ts'
import { npy } from './npy.ts'
import { ocdbt } from './ocdbt.ts'
import { onnx } from './onnx.ts'
import { packageManifest } from './package-manifest.ts'
import { parquet } from './parquet.ts'
import { type Counted, fullBudget, openPeek, structureBudget } from './peek.ts'
import { pickle } from './pickle.ts'
import { png } from './png.ts'
import { safetensors } from './safetensors.ts'
import { savedModel } from './saved-model.ts'
import { sentencepiece } from './sentencepiece.ts'
import { shardIndex } from './shard-index.ts'
import { sqlite } from './sqlite.ts'
import { tar } from './tar.ts'
import { tensorBundle } from './tensor-bundle.ts'
import { tflite } from './tflite.ts'
import { torchLegacy } from './torch-legacy.ts'
import { ubjson } from './ubjson.ts'
import { webp } from './webp.ts'
import { xz } from './xz.ts'
import { zeroTail } from './zeros.ts'
import { zip } from './zip.ts'
import { zlib } from './zlib.ts'
import { zstd } from './zstd.ts'

/** In the order in which they are asked whether they recognise a file: those with the most telling mark first. */
export const formats: readonly Format[] = [
  hdf5,
  sqlite,
  gguf,
  tflite,
  blobWeights,
  ocdbt,
  safetensors,
  tensorBundle,
  parquet,
  arrow,
  feather,
  png,
  jpeg,
  webp,
  catboost,
  lightgbm,
  ubjson,
  arrowStream,
  json,
  jsonLines,
  packageManifest,
  zip,
  npy,
  torchLegacy,
  xz,
  gzip,
  bzip2,
  zstd,
  lz4,
  tar,
  pickle,
  modelText,
  lzma,
  zlib,
  crfsuite,
  fasttext,
  ggml,
  sentencepiece,
  savedModel,
  onnx,
  coreml,
  msgpack,
  shardIndex,
]

const lastPart = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** The format that a name promises; the longest ending wins, so that `.tar.gz` is not taken for `.gz`. */
export const formatOfName = (path: string, among: readonly Format[] = formats): Format | undefined => {
  const name = lastPart(path).toLowerCase()
  let best: { readonly format: Format; readonly length: number } | undefined
  for (const format of among) {
    for (const pattern of format.names) {
      const fits = /^[.-]/.test(pattern) ? name.endsWith(pattern) : name === pattern
      if (fits && pattern.length > (best?.length ?? 0)) best = { format, length: pattern.length }
    }
  }
  return best?.format
}

/** What was found out about one file. */
export interface Judged extends Verdict {
  /** Absent where neither content nor name tells. */
  readonly format?: Pick<Format, 'id' | 'title'>
  readonly spent: Counted
}

/** Bytes of zeros at the beginning from which a file is not what its name says: so many, or all of a smaller one. */
const zeroHead = 4096
const leastZeros = 16

const trying = async (format: Format, act: () => Promise<Verdict>): Promise<Verdict> => {
  try {
    return await act()
  } catch (error) {
    if (error instanceof CutShort) {
      return broken(`what it holds would reach to byte ${error.needs} at least`, error.needs)
    }
    if (error instanceof OutOfReads || error instanceof ShortRead) return unknown(error.message)
    // A verifier that met something unforeseen must not call a good file bad; stores' own errors go on to the caller.
    if (error instanceof RangeError || error instanceof TypeError || error instanceof SyntaxError) {
      return unknown(`the verifier for ${format.id} could not make sense of it (${error.message})`)
    }
    throw error
  }
}

const tooSmall = (size: number, least: number): Verdict =>
  broken(`it has ${size} bytes, and the smallest valid one has ${least}`, least)

/**
 * Judges one file. With `prove`, reads it all and verifies the checksums that lie in it, where its format has them.
 * Throws only what `source.read` throws.
 */
export const judge = async (
  source: RangeSource,
  path: string,
  options: { readonly prove?: boolean; readonly among?: readonly Format[] } = {},
): Promise<Judged> => {
  const among = options.among ?? formats
  const named = formatOfName(path, among)
  const nothing = { reads: 0, bytes: 0 }
  if (source.size === 0) {
    if (named === undefined)
      return { ...unknown('it is empty, which is legal where no format asks for more'), spent: nothing }
    const about = { format: { id: named.id, title: named.title }, spent: nothing }
    if (named.least === 0) return { ...unknown('it is empty, which its format allows'), ...about }
    return { ...tooSmall(0, named.least), ...about }
  }
  const peek = await openPeek(source, options.prove === true ? fullBudget : structureBudget)
  const byContent = among.find((format) => format.recognises(peek.head, source.size))
  const format = byContent ?? named
  const verdict = await verdictOf(peek, format, byContent !== undefined, lastPart(path), options.prove === true)
  const small = named !== undefined && source.size < named.least
  // A small file of another format under this name is what its content says, when it is whole.
  if (small && (format === named || verdict.judgement !== 'complete')) {
    const { id, title } = named
    return { ...tooSmall(source.size, named.least), format: { id, title }, spent: peek.spent() }
  }
  return {
    ...verdict,
    ...(format === undefined ? {} : { format: { id: format.id, title: format.title } }),
    spent: peek.spent(),
  }
}

const verdictOf = async (
  peek: Peek,
  format: Format | undefined,
  recognised: boolean,
  name: string,
  prove: boolean,
): Promise<Verdict> => {
  const opening = peek.head.subarray(0, zeroHead)
  if (
    format !== undefined &&
    !recognised &&
    format.zerosFirst !== true &&
    opening.length >= leastZeros &&
    isZero(opening)
  ) {
    return suspect(`it begins with ${opening.length} zeros, as no such file does`)
  }
  const first =
    format === undefined
      ? unknown('neither its content nor its name tells a format with a rule')
      : await trying(format, () => format.judge(peek, name))
  if (first.judgement === 'broken') return first
  // Tensors without a header (external data, shards of variables) end in zeros wherever a zeroed one is the last.
  if (format === undefined && !isText(opening)) return first
  const zeros = await zeroTail(peek).catch((error: unknown) => {
    if (error instanceof OutOfReads || error instanceof ShortRead) return undefined
    throw error
  })
  if (zeros !== undefined) {
    const { from, ...said } = zeros
    const legal = format?.beginsAt?.(peek, from).catch(() => false)
    if ((await legal) !== true) return { ...first, ...said }
  }
  const { prove: proving } = format ?? {}
  if (!prove || format === undefined || proving === undefined) return first
  const proved = await trying(format, () => proving.call(format, peek, name))
  return { ...first, ...proved }
}
