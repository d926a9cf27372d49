import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonWalk } from '../../src/formats/json-grammar.ts'
import { cuts, judged } from './judging.ts'

const outcome = (text: string | Uint8Array, pieces = 7) => {
  const bytes = Buffer.from(text as string)
  const walk = new JsonWalk()
  for (let at = 0; at < bytes.length; at += pieces) if (!walk.feed(bytes.subarray(at, at + pieces))) break
  return walk.end()
}

test.each([
  ['Python writes NaN and infinities', '{"a": NaN, "b": [Infinity, -Infinity]}'],
  ['a byte order mark', '\ufeff{"a": 1}'],
  ['JSON Lines', '{"a": 1}\n{"a": 2}\n'],
  ['documents one after the other', '{"a":1}[2]"three"'],
  ['a string at the top', '"{\\"a\\": 1}"'],
  ['numbers of every shape', '[0, -0, 1.5, -0.25e+10, 1E5, 12e-3]'],
  ['escapes', '["\\\\", "\\"", "\\u00e9\\ud83d\\ude00", "a\\\\\\"b"]'],
  ['empty containers', '{"a": {}, "b": [], "c": [[], {}]}'],
  ['blanks at the end', '{}\r\n\t  \n'],
])('whole: %s', async (_, text) => {
  expect(await judged(text, 'config.json')).toMatchObject({ judgement: 'complete', format: { id: 'json' } })
})

test('whatever JSON.stringify writes is whole, in pieces of any size, and no cut of a container is', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), fc.integer({ min: 1, max: 40 }), fc.nat(), (text, pieces, seed) => {
      expect(outcome(text, pieces)).toEqual({ kind: 'whole', strict: true })
      const bytes = Buffer.from(text)
      if (!/^[[{]/.test(text)) return
      expect(outcome(bytes.subarray(0, 1 + (seed % (bytes.length - 1))), pieces).kind).toBe('cut')
    }),
  )
})

test('anything at all gets an outcome', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(outcome(bytes, 3).kind).toBeTypeOf('string')
    }),
  )
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...'{}[]",:1a\\ \0\'/')), (marks) => {
      expect(outcome(marks.join(''), 2).kind).toBeTypeOf('string')
    }),
  )
})

test('every cut of a file is broken, but for its final newline', async () => {
  const text = `${JSON.stringify({ learner: { names: ['a', 'b'], weights: [0.5, -1e-7, 3], nested: { on: true } } }, null, 2)}\n`
  const found = await cuts(text, 'model.json')
  expect(found.broken).toHaveLength(text.length - 1)
  expect(found.complete).toEqual([text.length - 1])
})

test.each([
  ['comments', '{"a": 1, // first\n "b": 2}', 'unknown'],
  ['a comment after a value', '{"a": 1 /* one */, "b": 2, "c": 3, "d": 4}', 'unknown'],
  ['single quotes', "{'a': 1}", 'unknown'],
  ['a Python repr', "[1, 2, 3, None, {'a': True}]", 'unknown'],
  ['bare keys', '{a: 1}', 'unknown'],
  ['a comma before the end', '{"a": [1, 2, 3,],}', 'ended'],
  ['numbers of JSON5', '{"a": [+1, .5, 5., 0x1f]}', 'ended'],
  ['raw line ends in strings', '{"a": "two\nlines"}', 'ended'],
  ['a template', '{{ cookiecutter.config }}', 'unknown'],
  ['YAML', 'a: 1\nb: [2]\n', 'unknown'],
  ['a log', '[12:30:05] started {"a"\n', 'unknown'],
  ['a log with levels', '[INFO] "started"\n[INFO] }', 'unknown'],
  ['quoted CSV', '"a","b"\n"1","2"\n', 'unknown'],
  ['UTF-16', Buffer.from('{"a": 1}', 'utf16le'), 'unknown'],
  ['UTF-16 with a mark', Buffer.from('\ufeff{"a": 1}', 'utf16le'), 'unknown'],
  ['a list of numbers as numpy prints it', '[1. 2. 3. 4. 5.]', 'unknown'],
  ['a page in HTML', '<html></html>', 'unknown'],
  ['lines that end in commas', '{"a":1},\n{"a":2},\n', 'unknown'],
  ['events without a last bracket', '[{"ph":"X","ts":1},\n{"ph":"X","ts":2},\n', 'unknown'],
])('no false alarm: %s', async (_, content, judgement) => {
  expect((await judged(content, 'a.json')).judgement).toBe(judgement)
})

test.each([
  ['a middle that is missing', '{"a": [1, 2, 3, 4.55.66, 7]}'],
  ['a bracket too many', '{"a": [1, 2, 3]}]'],
  ['a bracket of the other kind', '{"a": [1, 2, 3}'],
  ['a string after a string', '{"a": "b", "c": "d", "e": "f" "g": 1}'],
  ['zeros within', `{"a": [1, 2, 3, \0\0\0\0\0]}`],
  ['zeros within a string', `{"a": "b", "c": [1, 2], "d": "${'\0'.repeat(20)}"}`],
])('broken: %s', async (_, content) => {
  expect((await judged(content, 'a.json')).judgement).toBe('broken')
})

test('zeros after the end are suspect', async () => {
  expect(await judged(`{"a": 1}${'\0'.repeat(9)}`, 'a.json')).toMatchObject({ judgement: 'suspect' })
})

test('deep nesting takes no stack', async () => {
  const deep = 90_000
  expect((await judged('['.repeat(deep) + ']'.repeat(deep), 'a.json')).judgement).toBe('complete')
  expect((await judged('['.repeat(deep), 'a.json')).judgement).toBe('broken')
  expect((await judged('['.repeat(8_000_000), 'a.json')).judgement).toBe('unknown')
})

test('a file of 32 MiB is read whole within the budget, a larger one at its ends, and wholly when it is proved', async () => {
  const entry = Buffer.from('{"name": "a value of some length", "numbers": [1.25, -3e-9, 0, 17]},\n')
  const entries = Math.floor((32 * 1024 ** 2) / entry.length) - 1
  const body = Buffer.concat([Buffer.from('['), Buffer.alloc(entries * entry.length, entry), Buffer.from('{}]')])
  expect(await judged(body, 'a.json')).toMatchObject({ judgement: 'complete' })
  const longer = Buffer.concat([body.subarray(0, -3), body.subarray(1)])
  const found = await judged(longer, 'a.json')
  expect(found).toMatchObject({ judgement: 'ended', spent: { reads: 2 } })
  expect(await judged(longer.subarray(0, -1), 'a.json')).toMatchObject({ judgement: 'suspect' })
  expect(await judged(longer.subarray(0, -8), 'a.json')).toMatchObject({ judgement: 'broken' })
  expect(await judged(longer, 'a.json', { prove: true })).toMatchObject({ judgement: 'complete' })
  longer[40 * 1024 ** 2] = 0
  longer.fill(0, 40 * 1024 ** 2, 40 * 1024 ** 2 + 100)
  expect(await judged(longer, 'a.json', { prove: true })).toMatchObject({ judgement: 'broken' })
})

test('an empty file is broken, unless its name is that of JSON Lines or of a part that Spark wrote', async () => {
  expect((await judged('', 'config.json')).judgement).toBe('broken')
  expect((await judged('', 'rows.jsonl')).judgement).toBe('unknown')
  expect((await judged('', 'part-00000-1234-c000.json')).judgement).toBe('unknown')
})

test('the manifest of a CoreML package names what lies in its data; others are JSON', async () => {
  const items = {
    a: { name: 'model.mlmodel', path: 'com.apple.CoreML/model.mlmodel' },
    b: { path: 'com.apple.CoreML/weights' },
  }
  const manifest = JSON.stringify({ fileFormatVersion: '1.0.0', itemInfoEntries: items, rootModelIdentifier: 'a' })
  expect(await judged(manifest, 'a.mlpackage/Manifest.json')).toMatchObject({
    judgement: 'complete',
    refers: [{ path: 'Data/com.apple.CoreML/model.mlmodel' }, { path: 'Data/com.apple.CoreML/weights' }],
  })
  expect((await cuts(manifest, 'Manifest.json')).broken).toHaveLength(manifest.length)
  for (const other of ['{"name": "a page"}', '[1, 2]', '{"itemInfoEntries": [null, 3, {"path": 4}]}', '{} {}']) {
    const found = await judged(other, 'manifest.json')
    expect(found.judgement).toMatch(/complete|unknown/)
    expect(found.refers).toBeUndefined()
  }
})
