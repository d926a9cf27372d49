import { count } from '../words.ts'
import { ReadAhead } from './ahead.ts'
import { hasAt, u16le, u32le, u64le } from './bytes.ts'
import { fieldAt, tableAt } from './flatbuffer.ts'
import {
  CutShort,
  complete,
  ended,
  type Format,
  OutOfReads,
  type Peek,
  suspect,
  unknown,
  type Verdict,
} from './format.ts'

/** What begins a message since Arrow 0.15; before that its length came first. */
const continuation = [0xff, 0xff, 0xff, 0xff] as const
const prefixBytes = 8
const oldPrefixBytes = 4
/** A root's offset, a table and its fields. */
const leastMetadata = 16
/** Of a message's metadata its type and the length of its body are read; a schema of many columns has more. */
const mostMetadata = 256 * 1024
/** `union MessageHeader` of Message.fbs. */
const schemaType = 1
const lastType = 5
/** `enum MetadataVersion` of Schema.fbs: V5. */
const newestVersion = 4

/** The length of the body that follows a message's metadata, in bytes; RangeError where they are none. */
const bodyLength = (metadata: Uint8Array, schema: boolean): number => {
  const root = tableAt(metadata, 0)
  const type = metadata[fieldAt(metadata, root, 1)] ?? 0
  if (schema ? type !== schemaType : type < schemaType || type > lastType) throw new RangeError('not a message')
  const field = fieldAt(metadata, root, 3)
  return Number.isNaN(field) ? 0 : u64le(metadata, field)
}

/** Hops over the messages to the mark of the end. */
const walk = async (file: Peek, prefix: number): Promise<Verdict> => {
  const ahead = new ReadAhead(file)
  let messages = 0
  for (let at = 0; at < file.size; messages += 1) {
    const head = await ahead.load(at, prefix)
    const length = u32le(head, prefix - 4)
    if (prefix === prefixBytes && !hasAt(head, 0, continuation)) return unknown(`no message begins at byte ${at}`)
    at += prefix
    if (length === 0) {
      const told = `the mark of its end follows ${count(messages, 'message')}`
      return at === file.size ? complete(told) : ended(told)
    }
    if (at + length > file.size) throw new CutShort(at + length)
    at += length + bodyLength(await ahead.load(at, Math.min(length, mostMetadata)), messages === 0)
    if (at > file.size) throw new CutShort(at)
  }
  return suspect(`it ends after ${count(messages, 'message')}, without the mark of the end that writers put there`)
}

/** True for the metadata of a schema, with which every stream begins. */
const beginsWithSchema = (head: Uint8Array, prefix: number): boolean => {
  const length = u32le(head, prefix - 4)
  if (!(length >= leastMetadata)) return false
  const metadata = head.subarray(prefix, prefix + length)
  const root = tableAt(metadata, 0)
  const version = u16le(metadata, fieldAt(metadata, root, 0))
  return metadata[fieldAt(metadata, root, 1)] === schemaType && (Number.isNaN(version) || version <= newestVersion)
}

const judge = async (file: Peek): Promise<Verdict> => {
  const modern = hasAt(file.head, 0, continuation)
  if (!modern && !beginsWithSchema(file.head, oldPrefixBytes))
    return unknown('it does not begin as an Arrow stream does')
  try {
    return await walk(file, modern ? prefixBytes : oldPrefixBytes)
  } catch (error) {
    if (!(error instanceof OutOfReads)) throw error
    const mark = modern ? [...continuation, 0, 0, 0, 0] : [0, 0, 0, 0]
    if (hasAt(file.tail, file.tail.length - mark.length, mark)) return ended('the mark of its end is there')
    return suspect('the mark of the end that writers put there is missing')
  }
}

export const arrowStream: Format = {
  id: 'arrow-stream',
  title: 'an Arrow stream',
  names: ['.arrows'],
  // A schema; the mark of the end is optional.
  least: oldPrefixBytes + leastMetadata,
  recognises: (head) => hasAt(head, 0, continuation) && beginsWithSchema(head, prefixBytes),
  judge,
}
