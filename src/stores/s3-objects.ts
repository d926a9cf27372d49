import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import { Trouble } from '../errors.ts'
import type { S3Calls } from './s3-calls.ts'
import { decoded, endless } from './s3-lists.ts'
import { type ListedObject, type ListedPage, readListPage } from './s3-page.ts'
import type { StoredFile } from './store.ts'
import { unquoted } from './wire-text.ts'

/** A thousand keys of 1024 bytes, percent-encoded, with their owners and checksums, are a tenth of it. */
const largestPage = 64 * 1024 ** 2

const pageOf = (output: ListObjectsV2CommandOutput): ListedPage => ({
  objects: (output.Contents ?? []).map(({ Key, Size, LastModified, ETag }) => ({
    key: Key ?? '',
    size: Size ?? 0,
    modified: LastModified?.getTime(),
    etag: unquoted(ETag),
  })),
  encoding: output.EncodingType,
  more: output.IsTruncated === true,
  token: output.NextContinuationToken,
})

const isAnswer = (
  response: unknown,
): response is { statusCode: number; body: AsyncIterable<Uint8Array> | Uint8Array } =>
  typeof response === 'object' && response !== null && 'statusCode' in response && 'body' in response

const bodyOf = async (body: AsyncIterable<Uint8Array>, what: string): Promise<Buffer> => {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of body) {
    pieces.push(piece)
    length += piece.length
    if (length <= largestPage) continue
    const why = `a page of the list has more than ${largestPage} bytes`
    throw new Trouble({ kind: 'unexpected-answer', what, why, todo: 'Look with the tools of the store itself' })
  }
  return Buffer.concat(pieces, length)
}

/** One page of objects. Signing, retries and errors are the SDK's, and so is reading what has an unusual form. */
const listPage = async (
  calls: S3Calls,
  what: string,
  at: { Prefix?: string; ContinuationToken?: string },
  signal: AbortSignal | undefined,
): Promise<ListedPage> => {
  const command = new ListObjectsV2Command({ ...calls.bucket, EncodingType: 'url', ...at })
  let read: ListedPage | undefined
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { response } = result
      if (!isAnswer(response) || response.statusCode !== 200 || response.body instanceof Uint8Array) return result
      const body = await bodyOf(response.body, what)
      read = readListPage(body)
      // What was read needs no second reading.
      response.body = read === undefined ? body : new Uint8Array()
      return result
    },
    { step: 'deserialize', priority: 'low', name: 'readListPage' },
  )
  const output = await calls.run({ what, action: 's3:ListBucket', signal }, (client, how) => client.send(command, how))
  return read ?? pageOf(output)
}

/** Pages of the objects whose key begins with `prefix`, each key without its first `cut` letters. */
async function* pagesOf(
  calls: S3Calls,
  prefix: string,
  cut: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly StoredFile[]> {
  const what = `cannot list ${calls.uriOf(prefix)}`
  const within = prefix === '' ? {} : { Prefix: prefix }
  const ask = (token?: string) =>
    listPage(calls, what, { ...within, ...(token === undefined ? {} : { ContinuationToken: token }) }, signal)
  const seen = new Set<string>()
  let page = await ask()
  for (;;) {
    const files: StoredFile[] = []
    for (const object of page.objects) {
      const key = decoded(object.key, page.encoding)
      if (key !== '' && !key.endsWith('/')) files.push(fileAt(cut === 0 ? key : key.slice(cut), object))
    }
    yield files
    if (!page.more) return
    const token = page.token ?? ''
    if (token === '' || seen.has(token)) throw endless(what)
    seen.add(token)
    page = await ask(token)
  }
}

/** Spelled out, since a list may have millions of them. */
const fileAt = (path: string, { size, modified, etag }: ListedObject): StoredFile => {
  if (modified !== undefined && etag !== undefined) return { path, size, modified, etag }
  return { path, size, ...(modified === undefined ? {} : { modified }), ...(etag === undefined ? {} : { etag }) }
}

/** What the pages hold, one by one. By hand: a generator takes three times as long for each of millions. */
const oneByOne = <T>(pages: AsyncGenerator<readonly T[]>): AsyncIterableIterator<T> => {
  let page: readonly T[] = []
  let at = 0
  const next = (): Promise<IteratorResult<T, undefined>> => {
    const value = page[at]
    if (value === undefined) return turn()
    at += 1
    return Promise.resolve({ done: false, value })
  }
  const turn = async (): Promise<IteratorResult<T, undefined>> => {
    const turned = await pages.next()
    if (turned.done) return { done: true, value: undefined }
    page = turned.value
    at = 0
    return next()
  }
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next,
    return: async () => {
      page = []
      await pages.return(undefined)
      return { done: true, value: undefined }
    },
  }
}

/** Objects whose key begins with `prefix`, as `pagesOf` has them. Folder markers (keys that end in a slash) are left out. */
export const listObjects = (
  calls: S3Calls,
  prefix: string,
  cut: number,
  signal: AbortSignal | undefined,
): AsyncIterable<StoredFile> => oneByOne(pagesOf(calls, prefix, cut, signal))
