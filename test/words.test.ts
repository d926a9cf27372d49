import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { isBefore, shellWord } from '../src/words.ts'

test.each(['runs:/0a1b', 'models:/m-1', 's3://bucket/a_b/c=1', '/tmp/model', 'DIR'])('%s stays as it is', (plain) => {
  expect(shellWord(plain)).toBe(plain)
})

test.each([
  '/tmp/my model',
  "it's",
  "'",
  '',
  '$(touch x)',
  '`id`',
  'a;b',
  'a&b|c>d<e',
  '*',
  '~/model',
  '#x',
  'a\\b',
  '"a"',
  '!x',
  'a\nb',
  '{a,b}',
  'größe',
])('%j comes out of a shell as it went in, as one word', (text) => {
  // Each word on a line of its own length, so that a split or an empty word shows.
  expect(execFileSync('sh', ['-c', `printf '%s|%s' "$#" "$1"`, 'sh', text], { encoding: 'utf8' })).toBe(`1|${text}`)
  expect(execFileSync('sh', ['-c', `set -- ${shellWord(text)}; printf '%s|%s' "$#" "$1"`], { encoding: 'utf8' })).toBe(
    `1|${text}`,
  )
})

test.each([
  ['3.14.0', '3.15.0', true],
  ['3.15.0', '3.15.0', false],
  ['3.15', '3.15.0', false],
  ['3.9.0', '3.15.0', true],
  ['3.15.0rc1', '3.15.0', true],
  ['3.15.0.dev0', '3.15.0', true],
  ['3.16.0rc1', '3.15.0', false],
])('version %s before %s: %s', (version, other, before) => {
  expect(isBefore(version, other)).toBe(before)
})
