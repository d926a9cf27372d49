import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MiB, machine } from '../../fixtures/host/values.ts'
import { singlePut, toS3 } from '../../fixtures/server/routes.ts'
import { bucket, canary, settingsOf, trouble } from '../../fixtures/store/values.ts'
import type { Facts, Need } from '../../src/check.ts'
import { NotApplicable } from '../../src/errors.ts'
import { transfersOpener } from '../../src/needs/transferred.ts'
import type { MultipartCanary } from '../../src/probes/multipart-canary.ts'
import type { Transfer } from '../../src/probes/types.ts'
import { folderStore } from '../../src/stores/folder.ts'
import type { Store } from '../../src/stores/store.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'transferred-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const measured = async (values: Readonly<Record<string, unknown>>): Promise<ReadonlyMap<string, Transfer>> => {
  const { value } = await transfersOpener.open({
    context: {
      host: { env: { USER: 'me' }, cwd: dir, home: dir, platform: 'linux', ask: undefined },
      trustedHosts: [],
      orphanAgeMs: 0,
      trafficBytes: MiB,
    },
    signal: new AbortController().signal,
    open: async <V>({ name }: Need<string, V, Facts>) => {
      if (!(name in values)) throw new NotApplicable(name)
      return values[name] as V
    },
    progress: () => {},
    onClose: () => {},
  })
  return value as ReadonlyMap<string, Transfer>
}

/** What the direct route measures on a folder that stands in for a bucket. */
const look = async (multipartCanary: MultipartCanary) => {
  const folder = await folderStore(join(dir, 'store'), 'test')
  let begun = 0
  const store: Store = {
    ...folder,
    kind: 's3',
    openUpload(...args) {
      begun += 1
      return folder.openUpload(...args)
    },
  }
  const values = { route: toS3, store, memory: machine, settings: settingsOf(), multipartCanary }
  return { ...(await measured(values)).get('store-multipart'), begun }
}

test('nothing large is begun where the tiny upload could not be aborted', async () => {
  const { tries, objection, begun } = await look(canary({ abort: trouble('denied') }))
  expect({ tries, begun }).toEqual({ tries: [], begun: 0 })
  expect(objection).toMatch(/cannot be aborted/)
  expect((await look(canary({}))).tries?.length).toBeGreaterThan(0)
})

test('nothing is written through a server whose bucket keeps versions, as its own settings say', async () => {
  const refusing = async () => {
    throw new Error('nothing is to be asked')
  }
  const server = { uri: 'https://mlflow.example.org', info: {}, headers: {}, text: refusing, call: refusing }
  const on = (told: 'enabled' | 'suspended') => {
    const bucketSettings = { ...bucket, versioning: { told } }
    return measured({ route: singlePut, server, settings: settingsOf(), bucketSettings })
  }
  for (const told of ['enabled', 'suspended'] as const)
    expect((await on(told)).get('proxied-put')).toEqual({
      tries: [],
      objection: 'the bucket keeps versions of what is deleted',
    })
})
