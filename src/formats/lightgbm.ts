import { count, exactBytes } from '../words.ts'
import { hasAt } from './bytes.ts'
import { broken, complete, ended, type Format, type Peek, suspect, unknown, type Verdict } from './format.ts'
import { JsonWalk } from './json-grammar.ts'

const begins = 'tree\nversion='
const endOfTrees = 'end of trees'
const parametersBegin = '\nparameters:'
const endOfParameters = '\nend of parameters'
const categories = 'pandas_categorical:'
/** Names and value ranges of features, and a size for each tree, all on lines before the first tree. */
const mostHeader = 8 * 1024 ** 2

const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')

/** The lines before the first tree, with the empty one that ends them; absent where it does not come within `mostHeader`. */
const headerOf = async (file: Peek): Promise<string | undefined> => {
  for (let length = Math.min(file.size, file.head.length); ; length = Math.min(length * 4, file.size, mostHeader)) {
    const read = text(await file.exactly(0, length))
    const end = read.indexOf('\n\n')
    if (end >= 0) return read.slice(0, end + 2)
    if (length === file.size) return read
    if (length === mostHeader) return undefined
  }
}

/** Whether a line is the beginning of a line of categories: JSON, with Python's NaN among them. */
const isCut = (line: string): boolean => {
  if (line === '' || !(categories.startsWith(line) || line.startsWith(categories))) return false
  const walk = new JsonWalk()
  walk.feed(Buffer.from(line.slice(categories.length), 'latin1'))
  return walk.end().kind !== 'whole'
}

/**
 * Judges what follows the trees, as far as it lies in the tail. The Python package adds a line of categories, which lacks in
 * what the command line and R write; boosters that were made from text without parameters are written without them.
 */
const judgeEnd = (end: string): Verdict => {
  const newline = end.lastIndexOf('\n', end.length - 2)
  const line = end.slice(newline + 1).trimEnd()
  if (newline < 0) {
    return line.endsWith(']') ? ended('its list of categories is closed') : suspect('its list of categories is open')
  }
  const parameters = end.includes(endOfParameters)
  if (!parameters && end.includes(parametersBegin)) return broken('its parameters have no end')
  if (isCut(line)) return broken('its line of categories is cut')
  if (!parameters && !line.startsWith(categories)) return suspect('it ends before its parameters')
  if (!end.endsWith('\n')) return suspect('its last line has no end, which its writer puts there')
  return complete('its trees have the sizes that its header tells, and its end is there')
}

const judge = async (file: Peek): Promise<Verdict> => {
  if (!hasAt(file.head, 0, begins)) return unknown('it does not begin as a text model does')
  const header = await headerOf(file)
  if (header === undefined) return ended('its header is too large to be looked through')
  if (!header.endsWith('\n\n')) return broken('it ends within its header')
  const sizes = /^tree_sizes=(.*)$/m.exec(header)?.[1]
  const end = text(file.tail)
  // Versions before 2.1 told no sizes.
  if (sizes === undefined)
    return end.includes(endOfTrees) ? ended('its trees have an end') : suspect('its trees have no end')
  let trees = 0
  let at = header.length
  for (const [size] of sizes.matchAll(/[^ ]+/g)) {
    if (!/^\d{1,15}$/.test(size)) return unknown('its sizes of trees are no numbers')
    trees += 1
    at += Number(size)
  }
  const needs = at + endOfTrees.length
  if (needs > file.size) return broken(`its ${count(trees, 'tree')} would reach to byte ${exactBytes(needs)}`, needs)
  if (!hasAt(await file.exactly(at, endOfTrees.length), 0, endOfTrees)) {
    return broken(`its ${count(trees, 'tree')} do not end at byte ${at}, as its header tells`)
  }
  return judgeEnd(text(file.tail.subarray(Math.max(0, at - (file.size - file.tail.length)))))
}

export const lightgbm: Format = {
  id: 'lightgbm',
  title: 'a LightGBM text model',
  names: ['.lgb'],
  least: begins.length,
  recognises: (head) => hasAt(head, 0, begins),
  judge,
}
