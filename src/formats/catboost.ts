import { count, exactBytes } from '../words.ts'
import { hasAt, u32le } from './bytes.ts'
import { Cursor } from './cursor.ts'
import { fieldAt, tableAt, vectorAt } from './flatbuffer.ts'
import { broken, CutShort, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'

const mark = 'CBM1'
/** The mark and the length of the core. */
const headBytes = 8
/** In place of a length that takes 64 bits (`SaveSize` in util/ysaveload.h). */
const long = 0xffff_ffff
/** `table TModelCore` of model.fbs: which parts follow the core. */
const partsField = 3
const tablesPart = 'static_provider_v1'
/** The names of the parts lie near the core's root, mostly at its beginning or end. */
const mostCore = 8 * 1024 ** 2

/** The names of the parts that follow the core; RangeError where its bytes are no core. */
const partsOf = (core: Uint8Array): readonly string[] => {
  const parts = vectorAt(core, fieldAt(core, tableAt(core, 0), partsField), 4)
  return Array.from({ length: Math.min(parts.length, 8) }, (_, index) => {
    const name = tableAt(core, parts.at + 4 * index)
    return Buffer.from(core.subarray(name + 4, name + 4 + Math.min(u32le(core, name), 64))).toString('latin1')
  })
}

/** Hops over the tables of categorical features: a number of them, and each with its length before it. */
const judgeTables = async (file: Peek, from: number): Promise<Verdict> => {
  const cursor = new Cursor(file, from)
  await cursor.buffer(4)
  const tables = u32le(cursor.take(4), 0)
  for (let table = 0; table < tables; table += 1) {
    await cursor.buffer(4)
    const length = u32le(cursor.take(4), 0)
    if (length === long) return ended('its core is there, and a table that is larger than 4 GiB')
    cursor.goTo(cursor.at + length)
    if (cursor.at > file.size) throw new CutShort(cursor.at)
  }
  return complete(`its core and ${count(tables, 'table')} of categorical features are there`)
}

const judge = async (file: Peek): Promise<Verdict> => {
  const { head, size } = file
  if (!hasAt(head, 0, mark)) return unknown('it does not begin as a CatBoost model does')
  const length = u32le(await file.exactly(4, 4), 0)
  if (length === long) return unknown('its core is larger than 4 GiB')
  const end = headBytes + length
  if (end > size) return broken(`its core reaches to byte ${exactBytes(end)}`, end)
  if (length > mostCore) return ended('its core is there')
  const parts = partsOf(await file.exactly(headBytes, length))
  if (parts.length === 0) return complete('its core is there, and it has no other parts')
  if (end === size) return broken(`its core is followed by nothing, and names ${count(parts.length, 'other part')}`)
  if (parts.length === 1 && parts[0] === tablesPart) return judgeTables(file, end)
  return ended('its core is there, and other parts follow it')
}

export const catboost: Format = {
  id: 'catboost',
  title: 'a CatBoost model',
  names: ['.cbm'],
  least: headBytes,
  recognises: (head) => hasAt(head, 0, mark),
  judge,
}
