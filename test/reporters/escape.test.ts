import { expect, test } from 'vitest'
import { block, jsonText, line } from '../../src/reporters/escape.ts'

test.each([
  ['an escape sequence', 'a\u001b[2Jb', 'a\\x1b[2Jb'],
  ['a line break', 'a\nb\rc', 'a\\x0ab\\x0dc'],
  ['C1', 'a\u009bb', 'a\\x9bb'],
  ['a mark that reorders', 'a\u202eb', 'a\\u202eb'],
  ['a workflow command', '::error::x', ':\\x3aerror:\\x3ax'],
  ['an old workflow command', '##[error]x', '#\\x23[error]x'],
])('%s cannot be obeyed', (_, text, shown) => expect(line(text)).toBe(shown))

test('a block keeps its own line breaks and nothing else', () => {
  expect(block('a\n::b\u0007')).toBe('a\n:\\x3ab\\x07')
})

test('JSON keeps every value and shows none of it raw', () => {
  const value = { '::k': '::error::x\u009b\u202e<script>\u0000' }
  const text = jsonText(JSON.stringify(value, undefined, 2))
  expect(text).not.toMatch(/::|[\u007f-\u009f\u202e]|</)
  expect(JSON.parse(text)).toEqual(value)
})
