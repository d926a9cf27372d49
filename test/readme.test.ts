import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checks } from '../checks/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const section = (title: string): string => readme.split(/^## /m).find((part) => part.startsWith(title)) ?? ''
const looks = section('What it looks for')
const ids = new Set<string>(checks.map(({ id }) => id))
const named = (text: string): string[] => [...text.matchAll(/`([a-z]+\/[a-z-]+)`/g)].map(([, id]) => id ?? '')

test('the tables name checks that exist, and every check', () => {
  expect(named(looks).filter((id) => !ids.has(id))).toEqual([])
  expect([...ids].filter((id) => !named(looks).includes(id))).toEqual([])
})

test('each of the 46 reported symptoms stands once, with a check or a reason', () => {
  const rows = looks.split('\n').flatMap((line) => /^\| (\d+) \| ([^|]+) \| ([^|]+) \|$/.exec(line) ?? [])
  const numbers = rows.filter((_, index) => index % 4 === 1).map(Number)
  expect(numbers).toEqual(Array.from({ length: 46 }, (_, index) => index + 1))
})
