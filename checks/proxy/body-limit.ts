import { defineCheck, type Remedy } from '../../src/check.ts'
import { bodyLimit, plannedUpload, route, trackingReach } from '../../src/needs/declarations.ts'
import { bytes, count, exactBytes } from '../../src/words.ts'
import type { Size } from './products/product.ts'
import { isUvicorn, productOf, recognise } from './products/recognise.ts'

/** MLflow packs a batch of metrics and parameters into a JSON request of up to 10^6 bytes (MAX_BATCH_LOG_REQUEST_SIZE in utils/validation.py, 3.17.2). */
const largestJson = 1_000_000

export default defineCheck({
  id: 'proxy/body-limit',
  title: 'No proxy refuses requests of the size that uploads have',
  severity: 'warning',
  on: ['check'],
  answers: ['limits'],
  needs: [bodyLimit, route],
  wants: [plannedUpload, trackingReach],
  facts: { accepted: 'bytes', refused: 'bytes', status: 'count', refusedBy: 'text', partsFrom: 'bytes' },
  explain: {
    measures:
      "Declares request bodies of different sizes on the experiment's artifact path (POST with Content-Length and Expect: 100-continue) and sends none of them, until the largest accepted and the smallest refused size are one byte apart. Nothing is stored. This finds limits that are judged by declared size, as nginx, Apache, Traefik, IIS and others do; what counts bytes only as they arrive is not seen.",
    breaks:
      'A proxied upload is one PUT of the whole file. Above the limit the proxy answers 413, MLflow does not retry, and the model is marked as failed after its small files were stored. Parts by signed URLs go to the store and not through this proxy, but only for files of at least MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE (500 MiB unless set).',
    remedy:
      'Raise the limit in the proxy that was recognised, on the artifact location; where the server signs parts, lower MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE in the client below the limit.',
  },
  async *run({ bodyLimit: limit, route, plannedUpload: plan, trackingReach: reach }) {
    const inFront = recognise({
      software: reach?.software,
      traces: reach?.traces,
      host: URL.parse(route.firstHop)?.hostname,
      answered: [limit.refusedBy],
    })
    if (limit.unmeasured !== undefined) {
      yield {
        kind: 'gap',
        at: route.firstHop,
        cannot: 'see',
        because: `${limit.unmeasured}, so a limit on request bodies cannot be measured without sending as many bytes: ask whoever runs the proxy`,
        unexpected: false,
        about: 'limits',
      }
      for (const { product, how } of inFront) {
        if (product.size?.usual === undefined) continue
        const { setting, usual } = product.size
        yield {
          kind: 'limit',
          hop: 'proxy',
          setting,
          scope: 'request',
          max: { bytes: usual },
          basis: 'assumed',
          routes: ['proxied-put'],
          because: `${product.name} was recognised ${how}, and takes bodies of ${exactBytes(usual)} unless told otherwise`,
          remedy: (needed) => remedyFor(product.size, needed, undefined),
        }
      }
      return
    }
    // uvicorn waits for the body of a POST by itself, and nothing tells of a proxy in front of it.
    const direct = isUvicorn(reach?.software) && inFront.length === 0
    if (limit.seenThrough === false && !direct) {
      yield {
        kind: 'gap',
        at: route.firstHop,
        cannot: 'see',
        because:
          'a proxy on the way takes whole bodies before it passes anything on, so a tighter limit behind it, or one that counts bytes as they arrive, does not show before the upload',
        unexpected: false,
        about: 'limits',
      }
    }
    if (limit.refused === undefined) return
    const by = limit.refusedBy ?? 'something on the way that does not give its name'
    const parts = route.multipart ? route.multipartMinimum : undefined
    const single = plan?.files.filter((file) => parts === undefined || file.bytes < parts).map((file) => file.bytes)
    const asked = single === undefined ? parts : largest(single)
    // The advice must never lower what stands there, nor bar the API: a plan that goes in parts alone asks for nothing.
    const wanted = asked === undefined ? undefined : Math.max(asked, largestJson, limit.accepted)
    const product = productOf(limit.refusedBy)?.size
    const remedy = remedyFor(product, wanted, route.multipart && limit.accepted > 0 ? limit.accepted : undefined)
    yield {
      kind: 'limit',
      hop: 'proxy',
      setting: product?.setting ?? 'request body size',
      scope: 'request',
      max: { bytes: limit.accepted },
      basis: 'measured',
      routes: ['proxied-put'],
      because: `${by} refuses a declared size of ${exactBytes(limit.refused)}${limit.status === undefined ? '' : ` with ${limit.status}`}`,
      remedy: () => remedy,
    }
    const facts = {
      accepted: limit.accepted,
      refused: limit.refused,
      ...(limit.status !== undefined && { status: limit.status }),
      ...(limit.refusedBy !== undefined && { refusedBy: limit.refusedBy }),
      ...(parts !== undefined && { partsFrom: parts }),
    }
    if (limit.accepted < largestJson) {
      yield {
        kind: 'finding',
        at: route.firstHop,
        says: `requests above ${exactBytes(limit.accepted)} are refused by ${by}; if that holds for the API as well, even batches of metrics and parameters fail, which take up to ${exactBytes(largestJson)}`,
        facts,
        remedy,
      }
      return
    }
    const tooLarge = single?.filter((size) => size > limit.accepted)
    const refuses = `requests above ${exactBytes(limit.accepted)} are refused by ${by}`
    const says =
      tooLarge === undefined
        ? parts === undefined
          ? `${refuses}, and every file goes in one request: a larger one fails with 413`
          : limit.accepted < parts
            ? `${refuses}, and files go in parts only from ${bytes(parts)} on: one in between fails with 413`
            : undefined
        : tooLarge.length > 0
          ? `${refuses}, and ${count(tooLarge.length, 'planned file')} of up to ${bytes(largest(tooLarge))} would go in one request`
          : undefined
    if (says !== undefined) yield { kind: 'finding', at: route.firstHop, says, facts, remedy }
  },
})

/** 0 for none. Plans have hundreds of thousands of files, more than a call takes arguments. */
const largest = (sizes: readonly number[]): number => sizes.reduce((most, size) => Math.max(most, size), 0)

const remedyFor = (product: Size | undefined, wanted: number | undefined, partsFrom: number | undefined): Remedy => {
  const size = wanted === undefined ? 'the largest file that is to be logged' : bytes(wanted)
  const text =
    product?.text ??
    `Ask whoever runs the proxy in front of the tracking server to take request bodies of ${size} on the artifact path.`
  const lines = product?.lines?.(wanted) ?? []
  if (partsFrom === undefined) return { text, ...(lines.length > 0 && { commands: lines }) }
  return {
    text: `${text} Or have smaller files go to the store in parts, past the proxy: set MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE in the client no higher than the limit.`,
    commands: [...lines, `export MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=${partsFrom}`],
  }
}
