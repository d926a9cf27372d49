import { count } from '../words.ts'
import { broken, complete, ended, type Format, type Peek, suspect, unknown, type Verdict } from './format.ts'
import { type JsonOutcome, JsonWalk } from './json-grammar.ts'

const MiB = 1024 ** 2
const piece = MiB
/** Larger files are read whole at `--depth full` only. */
const mostWhole = 32 * MiB

const openBrace = 0x7b
const openBracket = 0x5b
const closeBrace = 0x7d
const closeBracket = 0x5d
const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)

const walk = async (file: Peek): Promise<JsonOutcome> => {
  const walking = new JsonWalk()
  let at = file.head.length
  let goesOn = walking.feed(file.head)
  while (goesOn && at < file.size) {
    const bytes = await file.read(at, piece)
    goesOn = walking.feed(bytes)
    at += bytes.length
  }
  return walking.end()
}

/** Chrome's traces are arrays of events whose last bracket may be absent (Trace Event Format, "JSON Array Format"). */
const isTrace = (head: Uint8Array): boolean => head[0] === openBracket && Buffer.from(head).includes('"ph":')

const whole = async (file: Peek): Promise<Verdict> => {
  const outcome = await walk(file)
  switch (outcome.kind) {
    case 'whole':
      return outcome.strict
        ? complete('every bracket and string in it is closed')
        : ended('its brackets match, though some of it is not strict JSON')
    case 'cut':
      if (outcome.open === 1 && isTrace(file.head)) return unknown('it is a list of events, which may lack its end')
      return broken(
        outcome.open === 0
          ? 'it ends within a string'
          : `it ends with ${count(outcome.open, 'bracket')} that nothing closes`,
      )
    case 'wrong':
      return broken(`it stops being JSON at byte ${outcome.at}`)
    case 'padded':
      return suspect(`it holds zeros from byte ${outcome.at} on, after its end`)
    case 'foreign':
      return unknown(`it is not JSON from byte ${outcome.at} on, and may be what other readers know`)
  }
}

const byEnds = ({ head, tail }: Peek): Verdict => {
  const first = head.find((byte) => !isBlank(byte) && byte !== 0xef && byte !== 0xbb && byte !== 0xbf)
  if (first !== openBrace && first !== openBracket) return unknown('it does not begin as JSON does')
  const last = tail.findLast((byte) => !isBlank(byte))
  if (last === (first === openBrace ? closeBrace : closeBracket)) return ended('its last bracket matches its first one')
  // A comma ends an unfinished list of events, the other bracket the last of several documents.
  if (last === closeBrace || last === closeBracket || last === 0x2c) {
    return isTrace(head)
      ? unknown('it is a list of events, which may lack its end')
      : suspect('it ends with another mark than it should')
  }
  return last === undefined ? unknown('its end is blank') : broken('it does not end with a closing bracket')
}

export const json: Format = {
  id: 'json',
  title: 'JSON',
  names: ['.json', '.ipynb', '.geojson'],
  least: 1,
  recognises: () => false,
  judge: async (file) => (file.size <= mostWhole ? whole(file) : byEnds(file)),
  prove: whole,
}

/** Also what Spark writes under `.json`: a part that has no rows is an empty file. */
export const jsonLines: Format = {
  ...json,
  id: 'json-lines',
  title: 'JSON Lines',
  names: ['.jsonl', '.ndjson', '-c000.json'],
  least: 0,
}
