import { hasAt, u16le, u32le } from './bytes.ts'
import { broken, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'
import { dtypeOf, productOf } from './numpy-dtype.ts'
import { judgePickleAt } from './pickle-verdict.ts'
import { parseLiteral } from './python-literal.ts'

const mark = '\x93NUMPY'
/** NumPy itself refuses headers beyond 10,000 bytes unless told otherwise; wide records reach some hundred KiB. */
const mostHeader = 1024 ** 2
/** Arrays in one file that are followed. */
const mostArrays = 24

interface ArrayAt {
  /** Of the elements, in the file. */
  readonly data: number
  /** Undefined where the elements are a pickle. */
  readonly bytes: number | undefined
}

/** The header at `at` (numpy/lib/format.py); undefined where it is one that only a newer NumPy understands. */
const arrayAt = async (file: Peek, at: number): Promise<ArrayAt | undefined> => {
  const start = await file.exactly(at, 10)
  const version = start[6] ?? 0
  if (version < 1 || version > 3) return undefined
  const fixed = version === 1 ? 10 : 12
  const length = version === 1 ? u16le(start, 8) : u32le(await file.exactly(at, fixed), 8)
  if (length > mostHeader) {
    await file.exactly(at, fixed + length)
    return undefined
  }
  const header = Buffer.from(await file.exactly(at + fixed, length)).toString(version === 3 ? 'utf8' : 'latin1')
  const fields = parseLiteral(header.trim())
  if (!(fields instanceof Map)) return undefined
  const dtype = dtypeOf(fields.get('descr'))
  const count = productOf(fields.get('shape'))
  if (dtype === undefined || count === undefined) return undefined
  return { data: at + fixed + length, bytes: dtype.objects ? undefined : count * dtype.bytes }
}

const judge = async (file: Peek): Promise<Verdict> => {
  let at = 0
  for (let arrays = 1; arrays <= mostArrays; arrays += 1) {
    const array = await arrayAt(file, at)
    if (array === undefined) {
      return arrays === 1
        ? unknown('its header describes elements that are not known here')
        : ended(`its first ${arrays - 1} arrays are there`)
    }
    if (array.bytes === undefined) return judgePickleAt(file, array.data, true)
    at = array.data + array.bytes
    if (at > file.size) {
      const which = arrays === 1 ? 'its header' : `the header of its array number ${arrays}`
      return broken(`${which} asks for ${at - file.size} bytes more than are stored`, at)
    }
    if (at === file.size) return complete('its header and elements add up to its size')
    // `np.save` to an open file puts one array behind the other.
    const next = await file.read(at, mark.length)
    const cut = next.length < mark.length && hasAt(next, 0, mark.slice(0, next.length))
    if (!hasAt(next, 0, mark) && !cut) return ended(`its elements are there, and ${file.size - at} bytes follow`)
  }
  return ended(`its first ${mostArrays} arrays are there`)
}

export const npy: Format = {
  id: 'npy',
  title: 'a NumPy array',
  names: ['.npy'],
  least: 48,
  recognises: (head) => hasAt(head, 0, mark),
  judge: async (file) => {
    if (!hasAt(file.head, 0, mark)) return unknown('it is no NumPy array')
    return judge(file)
  },
}
