import { hasAt } from './bytes.ts'
import { broken, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'
import type { Node } from './pickle-machine.ts'
import { type PickleLimits, walkPickle } from './pickle-walk.ts'

const KiB = 1024

/** `torch.serialization.MAGIC_NUMBER`, the first of five pickles: then a version, the system, the object, and its storages' keys. */
const magic = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
const pickles = 5
const limits: PickleLimits = { read: 2048 * KiB, entries: 200_000, piece: 64 * KiB }

/** Bytes of an element by the last part of a storage's class. */
const elementBytes: ReadonlyMap<string, number> = new Map([
  ['DoubleStorage', 8],
  ['FloatStorage', 4],
  ['HalfStorage', 2],
  ['BFloat16Storage', 2],
  ['LongStorage', 8],
  ['IntStorage', 4],
  ['ShortStorage', 2],
  ['CharStorage', 1],
  ['ByteStorage', 1],
  ['BoolStorage', 1],
  ['ComplexDoubleStorage', 16],
  ['ComplexFloatStorage', 8],
  ['QInt8Storage', 1],
  ['QUInt8Storage', 1],
  ['QInt32Storage', 4],
  ['UntypedStorage', 1],
])
/** Elements before a storage's data: how many there are, in eight bytes. */
const countBytes = 8

/** The bytes of all storages that the object refers to; each lies in the file once. Undefined where one is of an unknown kind. */
const storageBytes = (references: readonly Node[]): number | undefined => {
  const known = new Map<string, number>()
  for (const { members = [] } of references) {
    const [kind, of, key, , count] = members.map(({ node }) => node)
    if (kind?.text === 'module') continue
    const bytes = elementBytes.get(of?.name.slice(of.name.lastIndexOf('.') + 1) ?? '')
    if (kind?.text !== 'storage' || bytes === undefined) return undefined
    if (key?.text === undefined || count?.value === undefined || !(count.value >= 0)) return undefined
    known.set(key.text, Math.max(known.get(key.text) ?? 0, countBytes + count.value * bytes))
  }
  return [...known.values()].reduce((sum, bytes) => sum + bytes, 0)
}

/** Where the number lies: behind a protocol, and, from protocol 4 on, the header of a frame. */
const isLegacy = (head: Uint8Array): boolean =>
  head[0] === 0x80 && (hasAt(head, 4, magic) || hasAt(head, 13, magic)) && (head[2] === 0x8a || head[2] === 0x95)

const judge = async (file: Peek): Promise<Verdict> => {
  let at = 0
  const references: Node[] = []
  for (let number = 1; number <= pickles; number += 1) {
    const walk = await walkPickle(file, at, limits)
    if (walk.cut) return broken(`it ends in pickle ${number} of the ${pickles} that it begins with`)
    if (walk.root === undefined) return unknown(walk.why ?? 'its pickles cannot be followed')
    references.push(...walk.machine.persistent)
    at = walk.end
  }
  const bytes = storageBytes(references)
  if (bytes === undefined) return unknown('it holds storages of a kind that is not known here')
  const needs = at + bytes
  if (needs > file.size) return broken(`its storages need ${needs - file.size} bytes more than are there`, needs)
  if (needs < file.size) return ended(`its storages are there, and ${file.size - needs} bytes follow`)
  return complete('its pickles and storages add up to its size')
}

/** What `torch.save` wrote before 1.6, and writes still when told so. */
export const torchLegacy: Format = {
  id: 'torch-legacy',
  title: 'a PyTorch file of the old kind',
  names: ['.pt', '.pth', '.ckpt', 'pytorch_model.bin'],
  // Users pickle and save anything under these names; no such thing is smaller.
  least: 4,
  recognises: isLegacy,
  judge: async (file) => {
    if (isLegacy(file.head)) return judge(file)
    return unknown('it is neither of the kinds that PyTorch writes')
  },
}
