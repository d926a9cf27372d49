/** What Python's `repr` writes of plain values, as NumPy's headers hold them. */

/** Tuples and lists are arrays alike; numbers keep their value as far as 53 bits go. */
export type Literal = string | number | boolean | null | readonly Literal[] | ReadonlyMap<string, Literal>

/** Real headers nest three deep for each record in a record. */
const deepest = 64

const number = /-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?[lL]?/y
const word = /True|False|None/y
const text = /[bBuU]?(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")/y
const blank = /[\s]*/y

/** @throws SyntaxError for anything else than strings, whole numbers, True, False, None, tuples, lists and dicts of them. */
export const parseLiteral = (source: string): Literal => {
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(source) ?? undefined
    if (found !== undefined) at += found[0].length
    return found
  }
  const eat = (mark: string): boolean => {
    match(blank)
    if (source[at] !== mark) return false
    at += 1
    return true
  }
  const members = (close: string, depth: number): Literal[] => {
    const found: Literal[] = []
    while (!eat(close)) {
      found.push(value(depth + 1))
      if (eat(',')) continue
      if (eat(close)) break
      throw new SyntaxError('a comma is missing')
    }
    return found
  }
  const mapping = (depth: number): ReadonlyMap<string, Literal> => {
    const found = new Map<string, Literal>()
    while (!eat('}')) {
      const key = value(depth + 1)
      if (typeof key !== 'string' || !eat(':')) throw new SyntaxError('a key is no string')
      found.set(key, value(depth + 1))
      if (eat(',')) continue
      if (eat('}')) break
      throw new SyntaxError('a comma is missing')
    }
    return found
  }
  const value = (depth: number): Literal => {
    if (depth > deepest) throw new SyntaxError('too deep')
    if (eat('(')) {
      const inside = members(')', depth)
      // `(3)` is a number in brackets, `(3,)` a tuple.
      const bare = inside.length === 1 && !/,\s*\)$/.test(source.slice(Math.max(0, at - 8), at))
      return bare ? (inside[0] ?? null) : inside
    }
    if (eat('[')) return members(']', depth)
    if (eat('{')) return mapping(depth)
    const string = match(text)
    if (string !== undefined) return string[1] ?? string[2] ?? ''
    const constant = match(word)?.[0]
    if (constant !== undefined) return constant === 'None' ? null : constant === 'True'
    const digits = match(number)?.[0]
    if (digits !== undefined) return Number(digits.replace(/l$/i, ''))
    throw new SyntaxError(`nothing known stands at character ${at}`)
  }
  const found = value(0)
  match(blank)
  if (at !== source.length) throw new SyntaxError(`something follows at character ${at}`)
  return found
}
