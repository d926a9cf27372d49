import { createHash } from 'node:crypto'
import type { BlobGetPropertiesResponse } from '@azure/storage-blob'
import { Trouble } from '../errors.ts'
import { firstBytes } from '../first-bytes.ts'
import type { AzureAddress } from './azure-address.ts'
import { begunAt, blockId, idLength, isOwnUpload, newUpload, shortestId, usualId } from './azure-block-id.ts'
import { type Blocks, crc32OfBlocks, listBlocks, partsOf } from './azure-blocks.ts'
import type { AzureConnection } from './azure-client.ts'
import { azureCode, azureTrouble, dateOf } from './azure-trouble.ts'
import { requireCrc32, requireWhole } from './part-check.ts'
import { keysBelow, safeFolder } from './path.ts'
import type { ObjectProof, OpenUpload, Part, Store, StoredFile, UnfinishedUpload, UploadLimits } from './store.ts'
import { unquoted } from './wire-text.ts'

const MiB = 1024 ** 2

/** learn.microsoft.com/rest/api/storageservices/put-block, since version 2019-12-12. */
const limits: UploadLimits = { minPart: 1, maxPart: 4000 * MiB, maxParts: 50_000, maxObject: 50_000 * 4000 * MiB }

/** Blocks of other clients tell nothing of themselves: all of a blob count as one upload. */
const foreign = 'foreign'

const md5Of = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest()

export const azureStore = (connection: AzureConnection, root: AzureAddress, reached: string): Store => {
  const { patient, once, service, endpoint, idleMs } = connection
  const uriOf = (name: string): string => `${root.root}/${name}`
  const { keyOf: nameOf, below, relative } = keysBelow(root.prefix)

  const containerAction = 'Microsoft.Storage/storageAccounts/blobServices/containers/read'
  const serviceAction = 'Microsoft.Storage/storageAccounts/blobServices/read'
  const action = (verb: string): string => `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/${verb}`

  interface Calling {
    readonly what: string
    readonly action: string
    readonly signal?: AbortSignal | undefined
  }
  /** Ends a call in which no byte has moved for too long; the SDK itself knows no such limit. */
  const run = async <T>(
    calling: Calling,
    act: (options: { abortSignal: AbortSignal; onProgress: () => void }) => Promise<T>,
  ): Promise<T> => {
    const { signal } = calling
    signal?.throwIfAborted()
    const idle = new AbortController()
    const timer = setTimeout(() => idle.abort(), idleMs)
    try {
      const abortSignal = signal === undefined ? idle.signal : AbortSignal.any([signal, idle.signal])
      return await act({ abortSignal, onProgress: () => timer.refresh() })
    } catch (error) {
      signal?.throwIfAborted()
      const stalled = idle.signal.aborted ? Object.assign(new Error('no bytes flowed'), { code: 'ETIMEDOUT' }) : error
      throw azureTrouble({ what: calling.what, action: calling.action, endpoint }, stalled)
    } finally {
      clearTimeout(timer)
    }
  }

  const head = async (path: string, signal?: AbortSignal): Promise<BlobGetPropertiesResponse | undefined> => {
    const name = nameOf(path)
    const calling = { what: `cannot look at ${uriOf(name)}`, action: action('read'), signal }
    return run(calling, async (options) => {
      try {
        return await patient.getBlobClient(name).getProperties(options)
      } catch (error) {
        if (azureCode(error) === 'BlobNotFound') return undefined
        throw error
      }
    })
  }

  const blocksAt = (
    path: string,
    which: 'all' | 'committed' | 'uncommitted',
    signal: AbortSignal | undefined,
  ): Promise<Blocks> => {
    const name = nameOf(path)
    const calling = { what: `cannot list the blocks of ${uriOf(name)}`, action: action('read'), signal }
    return run(calling, ({ abortSignal }) => listBlocks(patient.getBlockBlobClient(name), which, abortSignal))
  }

  const conditionsFor = (how: { readonly ifAbsent: boolean; readonly replaces?: StoredFile }) => {
    if (how.ifAbsent) return { conditions: { ifNoneMatch: '*' } }
    return how.replaces?.etag === undefined ? {} : { conditions: { ifMatch: `"${how.replaces.etag}"` } }
  }

  const refused = (error: unknown): undefined => {
    if (error instanceof Trouble && ['denied', 'not-found', 'unauthenticated'].includes(error.kind)) return undefined
    throw error
  }

  /** What forbids that blobs are removed, or `false`; undefined where this login may not ask. */
  const lockOf = async (signal: AbortSignal | undefined): Promise<string | false | undefined> => {
    const calling = { what: `cannot look at the container ${root.container}`, action: containerAction, signal }
    const is = await run(calling, ({ abortSignal }) => patient.getProperties({ abortSignal })).catch(refused)
    if (is === undefined) return undefined
    if (is.hasLegalHold === true) return 'a legal hold'
    if (is.hasImmutabilityPolicy === true) return 'an immutability policy'
    return is.isImmutableStorageWithVersioningEnabled === true && 'immutable storage with versioning'
  }

  const goesByItself = (name: string, because: string): Trouble =>
    new Trouble({
      kind: 'unsupported',
      what: `cannot discard the blocks of ${uriOf(name)}`,
      why: because,
      todo: 'Leave them: blocks that nobody commits are gone seven days after the last one came',
    })

  /**
   * Gives up the uncommitted blocks of a blob that is not there. The service has no call for that; a commit without them
   * discards them, and makes an empty blob that must go again: so it is done only where that is sure to be possible.
   */
  const discardNew = async (path: string, signal: AbortSignal | undefined): Promise<void> => {
    const name = nameOf(path)
    const blob = once.getBlockBlobClient(name)
    const what = `cannot discard the blocks of ${uriOf(name)}`
    // Of a blob that is not there, this shows the right; Azurite removes its blocks with it.
    await run({ what, action: action('delete'), signal }, ({ abortSignal }) => blob.deleteIfExists({ abortSignal }))
    if ((await blocksAt(path, 'uncommitted', signal)).uncommitted.length === 0) return
    const lock = await lockOf(signal)
    if (lock !== false) {
      throw goesByItself(
        name,
        lock === undefined
          ? 'it takes an empty blob that is removed again, and whether the container allows that cannot be read'
          : `it takes an empty blob that is removed again, and the container keeps every blob (${lock})`,
      )
    }
    const written = await run({ what, action: action('write'), signal }, (options) =>
      blob.commitBlockList([], { ...options, conditions: { ifNoneMatch: '*' } }),
    )
    const conditions = written.etag === undefined ? {} : { conditions: { ifMatch: written.etag } }
    // Not to be interrupted: the empty blob would stay.
    await run({ what, action: action('delete') }, ({ abortSignal }) => blob.delete({ abortSignal, ...conditions }))
  }

  /** Gives up the uncommitted blocks over a blob that is there, by committing once more what it consists of. */
  const discardOver = async (
    path: string,
    committed: Blocks['committed'],
    is: BlobGetPropertiesResponse,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    const name = nameOf(path)
    if (committed.length === 0 || is.etag === undefined) {
      throw goesByItself(name, 'the blob was put in one request, and no list of its blocks can be committed')
    }
    const { contentType, contentEncoding, contentLanguage, contentDisposition, cacheControl, contentMD5 } = is
    const kept = {
      ...(contentType === undefined ? {} : { blobContentType: contentType }),
      ...(contentEncoding === undefined ? {} : { blobContentEncoding: contentEncoding }),
      ...(contentLanguage === undefined ? {} : { blobContentLanguage: contentLanguage }),
      ...(contentDisposition === undefined ? {} : { blobContentDisposition: contentDisposition }),
      ...(cacheControl === undefined ? {} : { blobCacheControl: cacheControl }),
      ...(contentMD5 === undefined ? {} : { blobContentMD5: contentMD5 }),
    }
    const { etag, metadata = {} } = is
    const calling = { what: `cannot discard the blocks of ${uriOf(name)}`, action: action('write'), signal }
    await run(calling, (options) =>
      once.getBlockBlobClient(name).commitBlockList(
        committed.map(({ id }) => id),
        { ...options, metadata, blobHTTPHeaders: kept, conditions: { ifMatch: etag } },
      ),
    )
  }

  /** Throws `unsupported` where they must be left to go by themselves. */
  const discard = async (path: string, signal: AbortSignal | undefined): Promise<void> => {
    const { committed, uncommitted } = await blocksAt(path, 'all', signal)
    if (uncommitted.length === 0) return
    const is = await head(path, signal)
    await (is === undefined ? discardNew(path, signal) : discardOver(path, committed, is, signal))
  }

  /** Which blocks are another client's: a print to compare two looks by. */
  const othersIn = ({ uncommitted }: Blocks): string =>
    uncommitted
      .filter(({ own }) => own === undefined)
      .map(({ id: block, size }) => `${block} ${size}`)
      .sort()
      .join()

  const opened = (path: string, id: string, length: number, others: string): OpenUpload => {
    const name = nameOf(path)
    const blob = once.getBlockBlobClient(name)
    return {
      id,
      path,
      parts: async (signal) => partsOf((await blocksAt(path, 'uncommitted', signal)).uncommitted, id),
      async send(number, bytes, crc32, signal): Promise<Part> {
        const what = `cannot send block ${number} of ${uriOf(name)}`
        requireCrc32(what, bytes, crc32)
        const etag = blockId({ upload: id, part: number, crc32 }, length)
        await run({ what, action: action('write'), signal }, (options) =>
          blob.stageBlock(etag, bytes, bytes.length, { ...options, transactionalContentMD5: md5Of(bytes) }),
        )
        return { number, size: bytes.length, crc32, etag }
      },
      async complete(parts, whole, signal) {
        const what = `cannot commit the blocks of ${uriOf(name)}`
        const sorted = parts.toSorted((a, b) => a.number - b.number)
        requireWhole(what, 'blocks', sorted, whole.crc32)
        // A commit discards what it does not name: the blocks of somebody who is sending right now, too.
        if (othersIn(await blocksAt(path, 'uncommitted', signal)) !== others) {
          const why = 'another client stages blocks of the same blob meanwhile'
          throw new Trouble({
            kind: 'conflict',
            what,
            why,
            todo: 'Wait until that upload has ended, then run it again',
          })
        }
        const ids = sorted.map((part) => blockId({ upload: id, part: part.number, crc32: part.crc32 ?? 0 }, length))
        await run({ what, action: action('write'), signal }, (options) =>
          blob.commitBlockList(ids, { ...options, ...conditionsFor(whole) }),
        )
      },
      async abort(signal) {
        const { uncommitted } = await blocksAt(path, 'uncommitted', signal)
        // What others have staged beside ours cannot be told from it by the service, and is not ours to discard.
        if (uncommitted.every(({ own }) => own?.upload === id)) await discard(path, signal)
      },
    }
  }

  const uploadsIn = (path: string, { uncommitted }: Blocks): readonly UnfinishedUpload[] => {
    const own = new Set(uncommitted.flatMap((block) => (block.own === undefined ? [] : [block.own.upload])))
    const uploads: UnfinishedUpload[] = [...own].map((id) => ({ path, id, initiated: begunAt(id) }))
    if (uncommitted.some((block) => block.own === undefined)) uploads.push({ path, id: foreign })
    return uploads
  }

  let offset: number | undefined
  return {
    kind: 'azure',
    uri: uriOf(root.prefix),
    reached,
    route: 'store-multipart',
    limits,

    async *list({ prefix = '', signal } = {}) {
      const from = below(safeFolder(prefix))
      const calling = { what: `cannot list ${uriOf(from)}`, action: action('read'), signal }
      const pages = patient.listBlobsFlat({ prefix: from, ...(signal && { abortSignal: signal }) }).byPage()
      for (;;) {
        const page = await run(calling, () => pages.next())
        if (page.done) return
        for (const { name, properties } of page.value.segment.blobItems) {
          const path = relative(name)
          // A folder of the data lake's is a blob of its own.
          if (path === '' || name.endsWith('/')) continue
          const etag = unquoted(properties.etag)
          yield {
            path,
            size: properties.contentLength ?? 0,
            modified: properties.lastModified.getTime(),
            ...(etag === undefined ? {} : { etag }),
          }
        }
      }
    },

    async stat(path, signal): Promise<StoredFile | undefined> {
      const is = await head(path, signal)
      if (is === undefined) return undefined
      const etag = unquoted(is.etag)
      return {
        path,
        size: is.contentLength ?? 0,
        ...(is.lastModified === undefined ? {} : { modified: is.lastModified.getTime() }),
        ...(etag === undefined ? {} : { etag }),
      }
    },

    async read(path, at, length, signal) {
      const name = nameOf(path)
      if (length === 0) return new Uint8Array()
      return run({ what: `cannot read ${uriOf(name)}`, action: action('read'), signal }, async (options) => {
        try {
          const { readableStreamBody } = await patient.getBlobClient(name).download(at, length, options)
          if (readableStreamBody === undefined) return new Uint8Array()
          return await firstBytes(readableStreamBody as AsyncIterable<Uint8Array>, length)
        } catch (error) {
          if (azureCode(error) === 'InvalidRange') return new Uint8Array()
          throw error
        }
      })
    },

    async proof(path, signal): Promise<ObjectProof | undefined> {
      const is = await head(path, signal)
      if (is === undefined) return undefined
      const size = is.contentLength ?? 0
      const { committed } = await blocksAt(path, 'committed', signal)
      const crc32 = crc32OfBlocks(committed)
      if (crc32 !== undefined) return { size, crc32 }
      // Of a blob that was put in one request the service keeps the MD5 that it has compared.
      const md5 = is.contentMD5
      return md5 === undefined || committed.length > 0 ? { size } : { size, etag: Buffer.from(md5).toString('hex') }
    },

    async remove(path, signal) {
      const name = nameOf(path)
      await run({ what: `cannot remove ${uriOf(name)}`, action: action('delete'), signal }, async ({ abortSignal }) => {
        await patient.getBlobClient(name).deleteIfExists({ abortSignal })
      })
    },

    async openUpload(path, _plan, signal) {
      const blocks = await blocksAt(path, 'all', signal)
      const { committed, uncommitted } = blocks
      const length = idLength(uncommitted[0]?.id ?? committed[0]?.id ?? '') || usualId
      if (length < shortestId) {
        throw new Trouble({
          kind: 'conflict',
          what: `cannot begin the upload of ${uriOf(nameOf(path))}`,
          why: `another client has staged blocks there whose ids have ${length} bytes, and all ids of one blob must be as long`,
          todo: 'Wait until that upload has ended; blocks that nobody commits are gone seven days after the last one came',
        })
      }
      return opened(path, newUpload((await this.now(signal)) ?? Date.now()), length, othersIn(blocks))
    },

    async resumeUpload(path, id, _plan, signal) {
      if (!isOwnUpload(id)) return undefined
      const blocks = await blocksAt(path, 'uncommitted', signal)
      const block = blocks.uncommitted.find(({ own }) => own?.upload === id)
      return block === undefined ? undefined : opened(path, id, idLength(block.id), othersIn(blocks))
    },

    async *unfinished({ path, signal } = {}) {
      if (path !== undefined) {
        yield* uploadsIn(path, await blocksAt(path, 'uncommitted', signal))
        return
      }
      const calling = { what: `cannot list ${uriOf(root.prefix)}`, action: action('read'), signal }
      const options = { prefix: below(''), includeUncommitedBlobs: true, ...(signal && { abortSignal: signal }) }
      const pages = patient.listBlobsFlat(options).byPage()
      for (;;) {
        const page = await run(calling, () => pages.next())
        if (page.done) return
        for (const { name, properties } of page.value.segment.blobItems) {
          // A blob of uncommitted blocks alone is listed with no bytes.
          if (properties.contentLength !== 0 || name.endsWith('/')) continue
          const blocks = await run(calling, ({ abortSignal }) =>
            listBlocks(patient.getBlockBlobClient(name), 'uncommitted', abortSignal),
          )
          yield* uploadsIn(relative(name), blocks)
        }
      }
    },

    async putOne(path, bytes, crc32, how, signal): Promise<ObjectProof> {
      const name = nameOf(path)
      const what = `cannot write ${uriOf(name)}`
      requireCrc32(what, bytes, crc32)
      const md5 = md5Of(bytes)
      await run({ what, action: action('write'), signal }, (options) =>
        once.getBlockBlobClient(name).upload(bytes, bytes.length, {
          ...options,
          ...conditionsFor(how),
          // The SDK sends no Content-MD5 with this call; kept as the blob's own, the service compares it.
          blobHTTPHeaders: { blobContentMD5: md5 },
        }),
      )
      return { size: bytes.length, etag: md5.toString('hex') }
    },

    listsUploads: () => 'of-new-objects',

    async keeping(signal) {
      const lock = await lockOf(signal)
      const calling = { what: `cannot look at the account ${root.account}`, action: serviceAction, signal }
      const account = await run(calling, ({ abortSignal }) => service.getProperties({ abortSignal })).catch(refused)
      const { enabled, days } = account?.deleteRetentionPolicy ?? {}
      return {
        ...(typeof lock === 'string' ? { locked: lock } : {}),
        ...(account === undefined ? {} : { removedDays: enabled === true ? (days ?? 0) : 0 }),
        unread: [
          ...(lock === undefined ? [{ what: 'whether the container locks its blobs', action: containerAction }] : []),
          ...(account === undefined ? [{ what: 'the soft delete of the account', action: serviceAction }] : []),
        ],
      }
    },

    abort: ({ path }, signal) => discard(path, signal),

    async partsOf({ path, id }, signal) {
      const { uncommitted } = await blocksAt(path, 'uncommitted', signal)
      if (isOwnUpload(id)) return partsOf(uncommitted, id)
      const others = uncommitted.filter(({ own }) => own === undefined)
      return others.map((block, at) => ({ number: at + 1, size: block.size, etag: block.id }))
    },

    async now(signal) {
      if (offset !== undefined) return Date.now() + offset
      const calling = { what: `cannot ask ${endpoint} for the time`, action: action('read'), signal }
      return run(calling, async (options) => {
        // A refusal tells the time as well as an answer does.
        const told = await patient.getProperties(options).then(
          ({ date }) => date?.getTime(),
          (error: unknown) => dateOf(error) ?? Promise.reject(error),
        )
        if (told !== undefined) offset = told - Date.now()
        return told
      })
    },

    close: async () => undefined,
  }
}
