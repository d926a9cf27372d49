import { hasAt } from './bytes.ts'
import { Cursor } from './cursor.ts'
import {
  broken,
  complete,
  ended,
  type Format,
  OutOfReads,
  type Peek,
  suspect,
  unknown,
  type Verdict,
} from './format.ts'
import { NotUbjson, UbjsonWalk } from './ubjson-walk.ts'

/** An object whose first name has a length of 64 bits, as XGBoost writes it; in no text do such zeros follow. */
const xgboostBegins = '{L\0\0\0\0\0\0'
/** The marker of an object, and what may follow it: its end, a type, a count or the length of a name. */
const begins = /^\{[}$#iUIlLN]/

const isUbjson = (head: Uint8Array): boolean => {
  if (hasAt(head, 0, xgboostBegins)) return true
  const first = Buffer.from(head.subarray(0, 4)).toString('latin1')
  // Of longer lengths the first byte is 0 in the byte order of UBJSON, and not in the other one.
  return begins.test(first) && (!/^.[IlL]/.test(first) || first.length < 3 || first[2] === '\0')
}

const judge = async (file: Peek): Promise<Verdict> => {
  if (!isUbjson(file.head)) return unknown('it does not begin as UBJSON does')
  try {
    const end = await new UbjsonWalk(new Cursor(file)).end()
    return end === file.size
      ? complete('its last bracket closes the first one')
      : ended(`its last bracket closes the first one at byte ${end}`)
  } catch (error) {
    if (error instanceof NotUbjson) return error.related ? unknown(error.message) : broken(error.message)
    if (!(error instanceof OutOfReads)) throw error
    return hasAt(file.tail, file.tail.length - 1, '}')
      ? ended('its last bracket is there')
      : suspect('it does not end with a bracket')
  }
}

/** XGBoost's own format; under `.xgb` it has been written since 2.1, and before that a binary one without a rule. */
export const ubjson: Format = {
  id: 'ubjson',
  title: 'UBJSON',
  names: ['.ubj', '.ubjson', '.xgb'],
  least: 2,
  recognises: (head) => hasAt(head, 0, xgboostBegins),
  judge,
}
