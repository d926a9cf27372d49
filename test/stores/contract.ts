import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Trouble } from '../../src/errors.ts'
import type { Part, Store } from '../../src/stores/store.ts'
import { namesIn, pieces, sendAll } from './sending.ts'

/** What a store cannot be asked, by its nature. Everything else in the contract is tried. */
export interface Subject {
  /** Opens the same root again and again, as separate processes would; empty at first. */
  open(): Promise<Store>
  /** An upload can be found and taken up again by another process. */
  readonly resumes: boolean
  /** Unfinished uploads can be listed. */
  readonly lists: boolean
  /** The store proves the CRC32 of the whole file. */
  readonly proves: boolean
  /** Names that this kind of store cannot hold, and says so. */
  readonly without?: readonly string[]
}

/** Odd, but legal. Backslashes are left out: SeaweedFS stores them as slashes. */
const names = [
  'plain',
  'with space',
  'per%20cent',
  'plus+plus',
  'Grüße 漢字 🙂',
  '.hidden',
  'sub/folder/.deep',
  'quote\'"<&>',
  '..twodots',
]

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

/** The contract of `Store`, tried on one kind of store after another. */
export const storeContract = (kind: string, subject: Subject): void => {
  describe(`the store contract on ${kind}`, () => {
    let store: Store
    beforeAll(async () => {
      store = await subject.open()
    })
    afterAll(() => store.close())

    /** Small, but above what a server hands out whole (4 MiB) once there are two of it and parts are allowed. */
    const partSize = () =>
      store.limits.maxParts === 1
        ? 64 * 1024 ** 2
        : Math.max(store.limits.alignment ?? 0, store.limits.minPart, 64 * 1024)
    const wholePart = () => Math.min(partSize(), 5 * 1024 ** 2)
    const threeParts = (rest: number) => randomBytes(2 * wholePart() + rest)

    test.each(subject.without ?? [])('a file named %j is refused', async (name) => {
      await expect(store.openUpload(name, { sourceSize: 1, partSize: 1 })).rejects.toMatchObject({
        kind: 'unsupported',
      })
      await expect(store.stat(name)).rejects.toMatchObject({ kind: 'unsupported' })
    })

    test.each(names.filter((name) => subject.without?.includes(name) !== true))(
      'a file named %j arrives, is listed, read and removed',
      async (name) => {
        const path = `names/${name}`
        const bytes = randomBytes(1000)
        await sendAll(store, path, bytes, { partSize: partSize(), ifAbsent: false })
        expect(await namesIn(store.list({ prefix: 'names' }))).toContain(path)
        expect(await store.stat(path)).toMatchObject({ path, size: 1000 })
        expect(Buffer.from(await store.read(path, 10, 20))).toEqual(bytes.subarray(10, 30))
        await store.remove(path)
        expect(await store.stat(path)).toBeUndefined()
        expect(await namesIn(store.list({ prefix: 'names' }))).not.toContain(path)
      },
    )

    test('a file sent in one request arrives, under any name, is confirmed, and replaces only what it may', async () => {
      const { putOne } = store
      if (putOne === undefined) return
      const put = (
        path: string,
        bytes: Uint8Array,
        sum = crc32(bytes),
        how: Parameters<typeof putOne>[3] = { ifAbsent: true },
      ) => putOne(path, bytes, sum, how)
      for (const name of names) {
        const bytes = randomBytes(3000)
        const proof = await put(`one/${name}`, bytes)
        expect(proof.size).toBe(3000)
        expect(proof.crc32 === crc32(bytes) || proof.etag === md5(bytes)).toBe(true)
        expect(Buffer.from(await store.read(`one/${name}`, 0, 3000))).toEqual(bytes)
      }
      await put('one/empty', new Uint8Array())
      expect(await store.stat('one/empty')).toMatchObject({ size: 0 })
      const [first, second] = [randomBytes(500), randomBytes(600)]
      await put('one/there', first)
      await expect(put('one/there', second)).rejects.toMatchObject({ kind: 'conflict' })
      const is = await store.stat('one/there')
      if (is === undefined) throw new Error('it was put a moment ago')
      await put('one/there', second, crc32(second), { ifAbsent: false, replaces: is })
      await expect(put('one/there', first, crc32(first), { ifAbsent: false, replaces: is })).rejects.toMatchObject({
        kind: 'conflict',
      })
      await expect(put('one/damaged', first, crc32(second))).rejects.toBeInstanceOf(Trouble)
      expect(await store.stat('one/damaged')).toBeUndefined()
    })

    test('an empty file arrives', async () => {
      await sendAll(store, 'empty', new Uint8Array(), { partSize: partSize(), ifAbsent: true })
      expect(await store.stat('empty')).toMatchObject({ size: 0 })
      expect(await store.read('empty', 0, 10)).toHaveLength(0)
      expect((await store.proof('empty'))?.size).toBe(0)
    })

    test.each([-1, 0, 1])('a file of two parts and %i bytes arrives whole', async (rest) => {
      const bytes = threeParts(rest)
      const path = `boundary/${rest}`
      await sendAll(store, path, bytes, { partSize: partSize(), ifAbsent: false })
      const proof = await store.proof(path)
      expect(proof?.size).toBe(bytes.length)
      if (subject.proves) expect(proof?.crc32).toBe(crc32(bytes))
      const middle = wholePart() - 5
      expect(Buffer.from(await store.read(path, middle, 10))).toEqual(bytes.subarray(middle, middle + 10))
      expect(Buffer.from(await store.read(path, bytes.length - 3, 100))).toEqual(bytes.subarray(-3))
    })

    test('a read behind the end gives nothing', async () => {
      await sendAll(store, 'short', Buffer.from('12345'), { partSize: partSize(), ifAbsent: false })
      expect(await store.read('short', 5, 10)).toHaveLength(0)
      expect(await store.read('short', 500, 10)).toHaveLength(0)
    })

    test('what is not there is undefined, and reading it is not-found', async () => {
      expect(await store.stat('nothing/here')).toBeUndefined()
      expect(await store.proof('nothing/here')).toBeUndefined()
      expect(await namesIn(store.list({ prefix: 'nothing' }))).toEqual([])
      await expect(store.read('nothing/here', 0, 1)).rejects.toMatchObject({ kind: 'not-found' })
      await store.remove('nothing/here')
    })

    test('a listing of a folder holds that folder only', async () => {
      for (const path of ['list/a/1', 'list/a/b/2', 'list/ab/3']) {
        await sendAll(store, path, Buffer.from(path), { partSize: partSize(), ifAbsent: false })
      }
      expect(await namesIn(store.list({ prefix: 'list/a' }))).toEqual(['list/a/1', 'list/a/b/2'])
    })

    test('a listing gives each folder in one piece, whatever lies beside it in the order of names', async () => {
      const files = ['b', 'a/1', 'a-b/1', 'a/b/2', 'a0', 'a/b.c/3', 'a/b-d', 'a/b/0', 'a.x/1', 'a/2', 'a/b0/1']
      for (const file of files)
        await sendAll(store, `pieces/${file}`, Buffer.from('x'), { partSize: partSize(), ifAbsent: false })
      const listed = (await Array.fromAsync(store.list({ prefix: 'pieces' }))).map(({ path }) => path)
      expect(listed.toSorted()).toEqual(files.map((file) => `pieces/${file}`).toSorted())
      for (const folder of ['pieces/a/', 'pieces/a/b/', 'pieces/a-b/', 'pieces/a.x/']) {
        const inside = listed.map((path) => path.startsWith(folder))
        const [first, last] = [inside.indexOf(true), inside.lastIndexOf(true)]
        expect(inside.slice(first, last + 1), `${folder} of ${listed}`).not.toContain(false)
      }
    })

    test.each(['../up', '/abs', 'a/../b', 'a//b', 'ctl\u0001'])('%j is refused as a path', async (path) => {
      const refused = { kind: 'unsupported' }
      await expect(store.stat(path)).rejects.toMatchObject(refused)
      await expect(store.read(path, 0, 1)).rejects.toMatchObject(refused)
      await expect(store.remove(path)).rejects.toMatchObject(refused)
      await expect(store.openUpload(path, { sourceSize: 1, partSize: 1 })).rejects.toMatchObject(refused)
    })

    test('a part whose checksum does not fit is refused, and can be sent again', async () => {
      const bytes = threeParts(7)
      const upload = await store.openUpload('wrong', { sourceSize: bytes.length, partSize: partSize() })
      const parts: Part[] = []
      const inOrder = [...pieces(bytes, partSize()).entries()]
      for (const [n, piece] of upload.ordered === true ? inOrder : inOrder.reverse()) {
        const damaged = Buffer.from(piece)
        damaged[3] = (damaged[3] ?? 0) ^ 1
        await expect(upload.send(n + 1, damaged, crc32(piece))).rejects.toMatchObject({ kind: 'unavailable' })
        parts.push(await upload.send(n + 1, piece, crc32(piece)))
      }
      await upload.complete(parts, { size: bytes.length, crc32: crc32(bytes), ifAbsent: true })
      expect((await store.proof('wrong'))?.size).toBe(bytes.length)
      for (const at of [0, wholePart() - 5, 2 * wholePart() - 5]) {
        expect(Buffer.from(await store.read('wrong', at, 10))).toEqual(bytes.subarray(at, at + 10))
      }
    })

    test('nothing is visible before completion; aborting twice is no error', async () => {
      const upload = await store.openUpload('never', { sourceSize: 2 * wholePart(), partSize: partSize() })
      const piece = randomBytes(wholePart())
      await upload.send(1, piece, crc32(piece))
      expect(await store.stat('never')).toBeUndefined()
      expect(await namesIn(store.list())).not.toContain('never')
      await upload.abort()
      await upload.abort()
      expect(await store.stat('never')).toBeUndefined()
      if (subject.lists) expect(await Array.fromAsync(store.unfinished({ path: 'never' }))).toEqual([])
    })

    test('ifAbsent refuses to replace, and replaces when it is not asked for', async () => {
      await sendAll(store, 'present', Buffer.from('older'), { partSize: partSize(), ifAbsent: true })
      const newer = Buffer.from('newer')
      const upload = await store.openUpload('present', { sourceSize: 5, partSize: partSize() })
      const part = await upload.send(1, newer, crc32(newer))
      const again = upload.complete([part], { size: 5, crc32: crc32(newer), ifAbsent: true })
      await expect(again).rejects.toMatchObject({ kind: 'conflict' })
      await upload.abort()
      expect(Buffer.from(await store.read('present', 0, 9)).toString()).toBe('older')
      await sendAll(store, 'present', newer, { partSize: partSize(), ifAbsent: false })
      expect(Buffer.from(await store.read('present', 0, 9)).toString()).toBe('newer')
    })

    if (subject.lists)
      test('an unfinished upload is listed by prefix and by exact key, with its parts', async () => {
        const upload = await store.openUpload('open/one two', { sourceSize: 2 * partSize(), partSize: partSize() })
        const other = await store.openUpload('open/one two.b', { sourceSize: 2 * partSize(), partSize: partSize() })
        const piece = randomBytes(partSize())
        await upload.send(1, piece, crc32(piece))
        const found = (await Array.fromAsync(store.unfinished())).filter((each) => each.path === upload.path)
        expect(found).toMatchObject([{ path: 'open/one two', id: upload.id }])
        const exact = await Array.fromAsync(store.unfinished({ path: 'open/one two' }))
        expect(exact.map((each) => each.id)).toEqual([upload.id])
        const now = (await store.now()) ?? Number.NaN
        for (const each of exact) {
          if (each.initiated !== undefined) expect(Math.abs(now - each.initiated)).toBeLessThan(600_000)
          expect(await store.partsOf(each)).toMatchObject([{ number: 1, size: piece.length }])
        }
        await upload.abort()
        await other.abort()
        expect(await Array.fromAsync(store.unfinished({ path: 'open/one two' }))).toEqual([])
      })

    if (subject.resumes)
      test('another process goes on where the first stopped, a part sent twice included', async () => {
        const bytes = threeParts(1)
        const plan = { sourceSize: bytes.length, partSize: partSize() }
        const [one, two, three] = pieces(bytes, partSize())
        if (one === undefined || two === undefined || three === undefined) throw new Error('three parts are needed')
        const first = await store.openUpload('resumed', plan)
        const stale = randomBytes(partSize())
        if (first.ordered !== true) await first.send(1, stale, crc32(stale))
        await first.send(1, one, crc32(one))
        await first.send(2, two, crc32(two))

        const second = await subject.open()
        const upload = await second.resumeUpload('resumed', first.id, plan)
        if (upload === undefined) throw new Error('the upload is gone')
        const held = (await upload.parts()) ?? []
        expect(held.map((part) => part.number)).toContain(2)
        expect(held.length).toBe(new Set(held.map((part) => part.number)).size)
        // As an engine does: keep what is seen to match the source, send the rest.
        const kept: Part[] = []
        for (const [n, piece] of [one, two, three].entries()) {
          const part = held.find(({ number }) => number === n + 1)
          const trusted = upload.ordered === true && part !== undefined
          const same = trusted || (part?.crc32 === undefined ? part?.etag === md5(piece) : part.crc32 === crc32(piece))
          if (part !== undefined && n < 2) expect(same, `part ${n + 1} is the one that was sent last`).toBe(true)
          kept.push(part && same ? { ...part, crc32: crc32(piece) } : await upload.send(n + 1, piece, crc32(piece)))
        }
        await upload.complete(kept, { size: bytes.length, crc32: crc32(bytes), ifAbsent: true })
        expect((await second.proof('resumed'))?.size).toBe(bytes.length)
        expect(Buffer.from(await second.read('resumed', 0, 50))).toEqual(bytes.subarray(0, 50))
        expect(await second.resumeUpload('resumed', first.id, plan)).toBeUndefined()
        await second.close()
      })

    if (subject.proves)
      test('a completion with a wrong checksum of the whole makes nothing visible', async () => {
        const bytes = threeParts(3)
        const upload = await store.openUpload('lie', { sourceSize: bytes.length, partSize: partSize() })
        const parts: Part[] = []
        for (const [n, piece] of pieces(bytes, partSize()).entries())
          parts.push(await upload.send(n + 1, piece, crc32(piece)))
        const lie = { size: bytes.length, crc32: crc32(bytes) ^ 1, ifAbsent: true }
        await expect(upload.complete(parts, { ...lie, crc32: lie.crc32 >>> 0 })).rejects.toMatchObject({
          kind: 'unavailable',
        })
        expect(await store.stat('lie')).toBeUndefined()
        await upload.abort()
      })

    test('an interrupted send rejects and leaves the upload usable', async () => {
      const bytes = randomBytes(wholePart())
      const upload = await store.openUpload('stopped', { sourceSize: bytes.length, partSize: partSize() })
      await expect(upload.send(1, bytes, crc32(bytes), AbortSignal.abort())).rejects.toMatchObject({
        name: 'AbortError',
      })
      const part = await upload.send(1, bytes, crc32(bytes))
      await upload.complete([part], { size: bytes.length, crc32: crc32(bytes), ifAbsent: true })
      expect((await store.proof('stopped'))?.size).toBe(bytes.length)
    })

    test('the clock is within an hour of this machine', async () => {
      const now = await store.now()
      if (now !== undefined) expect(Math.abs(now - Date.now())).toBeLessThan(3_600_000)
    })
  })
}
