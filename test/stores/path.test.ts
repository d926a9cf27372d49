import { expect, test } from 'vitest'
import { baseOf, folderOf, join, safeFolder, safePath, unsafeBecause } from '../../src/stores/path.ts'

test.each(['a', 'a/b', '.hidden', '..a', 'a..', 'a b', 'ü/🙂', '-', 'C:', 'a\\b'])('%j is safe', (path) => {
  expect(safePath(path)).toBe(path)
})

test.each([
  ['', 'empty'],
  ['/a', 'absolute'],
  ['a//b', 'empty folder name'],
  ['a/', 'empty folder name'],
  ['.', '"."'],
  ['a/..', '".."'],
  ['../a', '".."'],
  ['a\0b', 'control code'],
  ['a\u001b[2J', 'control code'],
  ['a\u007f', 'control code'],
  ['a\ud800', 'Unicode'],
])('%j is refused: %s', (path, why) => {
  expect(unsafeBecause(path)).toContain(why)
  expect(() => safePath(path)).toThrow(/refused the artifact path/)
  if (path !== '') expect(() => safeFolder(path)).toThrow()
})

test('a refusal shows no control code', () => {
  expect(() => safePath('a\u001b[2J')).toThrow(/^refused the artifact path "a\\u001b\[2J"/)
})

test('the empty folder is the root', () => {
  expect(safeFolder('')).toBe('')
})

test('parts of paths', () => {
  expect([folderOf('a/b/c'), baseOf('a/b/c'), folderOf('c'), baseOf('c')]).toEqual(['a/b', 'c', '', 'c'])
  expect([join('a', 'b'), join('', 'b'), join('a', '')]).toEqual(['a/b', 'b', 'a'])
})
