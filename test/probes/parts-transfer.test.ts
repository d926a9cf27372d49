import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Trouble } from '../../src/errors.ts'
import { partsTransfer } from '../../src/probes/parts-transfer.ts'
import type { Store } from '../../src/stores/store.ts'

// The store is a stand-in; real ones are in the lab's tests.

const MiB = 2 ** 20
const lost = () =>
  new Trouble({ kind: 'unreachable', what: 'cannot send a part', why: 'the connection broke', todo: 'Try again' })

const against = async (
  send: (number: number, bytes: Uint8Array) => Promise<void>,
  planned: readonly number[] = [4 * MiB],
) => {
  const flying = new Set<number>()
  const atEnd: number[] = []
  const result = await partsTransfer({ kind: 's3' } as Store, {
    partSize: MiB,
    threads: 4,
    budget: 8 * MiB,
    planned,
    timeMs: 60_000,
    signal: new AbortController().signal,
    progress: () => {},
    begin: async () => ({
      upload: {
        id: 'u',
        path: 'p',
        parts: () => undefined,
        async send(number: number, bytes: Uint8Array) {
          flying.add(number)
          await send(number, bytes).finally(() => flying.delete(number))
        },
      } as never,
      async end() {
        atEnd.push(flying.size)
      },
    }),
  })
  return { ...result, atEnd }
}

test('a mocked store that takes long for each part does not stall', async () => {
  const { tries } = await against(() => pause(30))
  expect(tries.map(({ stallMs }) => stallMs)).toEqual(tries.map(() => 0))
})

test('a mocked upload of which a part is lost is aborted once no part is on its way any more', async () => {
  const { tries, atEnd } = await against(async (number) => {
    if (number === 2) throw lost()
    await pause(30)
  })
  expect(tries.at(-1)?.failed).toMatchObject({ how: 'closed', why: 'the connection broke' })
  expect(atEnd).toEqual(tries.map(() => 0))
})

test('a mocked store that refuses parts for their size takes a small one', async () => {
  const { tries } = await against(async (_, { length }) => {
    if (length <= 500_000) return
    const status = 413
    throw new Trouble({ kind: 'too-large', what: 'cannot send', why: 'too large', todo: 'Send less', status })
  })
  expect(tries.slice(0, 2).map(({ bytes, failed }) => [bytes, failed?.status])).toEqual([
    [MiB, 413],
    [65_536, undefined],
  ])
  const most = Math.max(...tries.flatMap(({ bytes, failed }) => (failed ? [] : [bytes])))
  expect(most).toBeGreaterThan(450_000)
  expect(most).toBeLessThanOrEqual(500_000)
  expect(tries.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(8 * MiB)
})

test('a small planned file beside one that is too large to be tried does not keep mocked canaries small', async () => {
  const { tries } = await against(() => pause(1), [...Array.from({ length: 1500 }, () => 300), 900 * MiB])
  expect(Math.max(...tries.map(({ bytes }) => bytes))).toBeGreaterThan(4 * MiB)
})
