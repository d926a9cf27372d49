import { defineCheck } from '../../src/check.ts'
import { plannedUpload, route, transfers } from '../../src/needs/declarations.ts'
import { bytes, count, duration } from '../../src/words.ts'

/** Milliseconds; a pause in which nothing is taken that a person would call a stall. */
const long = 5000

export default defineCheck({
  id: 'network/stability',
  title: 'No connection breaks or stalls by accident',
  severity: 'warning',
  on: ['check'],
  needs: [transfers, route],
  wants: [plannedUpload],
  facts: { broken: 'count', sent: 'bytes', stall: 'ms', survives: 'text' },
  explain: {
    measures:
      'Counts canaries that failed although one of the same size or larger got through, over all bytes that were sent, and the longest pause in which nothing was taken. The bytes between two failures give the chance that a request of a planned size arrives unbroken: exp(-size × failures / bytes sent).',
    breaks:
      "MLflow sends a file through the server in one request and begins at zero after any break, and of a file that goes in parts by signed addresses a single lost part ends the upload: it is not sent again. boto3, on the direct route, sends a lost part again, up to four times. The larger the file, the smaller the chance; a route that sends parts again, such as repair's, hardly notices.",
    remedy:
      'Upload from a better connected machine, or let repair send the file in parts afterwards: it sends a lost part again and keeps the others.',
  },
  async *run({ transfers: measured, route, plannedUpload: plan }) {
    for (const [kind, { tries }] of measured) {
      const again = kind === 'store-multipart'
      const passed = tries.reduce((most, { failed, bytes: size }) => (failed ? most : Math.max(most, size)), 0)
      const broken = tries.filter(({ failed, bytes: size }) => failed !== undefined && size <= passed).length
      const sent = tries.reduce((sum, one) => sum + (one.failed?.sentBytes ?? one.bytes), 0)
      const stall = Math.round(tries.reduce((most, { stallMs }) => Math.max(most, stallMs), 0))
      if (broken > 0) {
        const inParts = (size: number): boolean => route.multipart && size >= route.multipartMinimum
        const largest = plan?.files
          .filter((file) => !route.proxied || inParts(file.bytes) === (kind === 'signed-parts'))
          .reduce((most, file) => Math.max(most, file.bytes), 0)
        const chance = largest && sent > 0 && !again ? Math.exp((-largest * broken) / sent) : undefined
        const survives = chance === undefined ? undefined : `${Math.round(chance * 100)} %`
        yield {
          kind: 'finding',
          at: route.firstHop,
          ...(again && { severity: 'info' as const }),
          says: `${count(broken, 'canary', 'canaries')} of ${tries.length} broke off by accident within ${bytes(sent)}${again ? '; boto3 sends a lost part again, up to four times unless AWS_MAX_ATTEMPTS says otherwise' : ''}${survives === undefined ? '' : `; a request of ${bytes(largest ?? 0)} then arrives unbroken with a chance of ${survives}, while parts that are sent again when they are lost all arrive`}`,
          facts: { broken, sent, stall, ...(survives !== undefined && { survives }) },
          remedy: {
            text: 'Upload over a steadier line, or put the files back with repair, which sends lost parts again and keeps the others.',
          },
        }
      } else if (stall > long) {
        yield {
          kind: 'finding',
          at: route.firstHop,
          says: `nothing moved for ${duration(stall)} in the middle of a canary; a longer pause than a time-out on the way allows ends an upload`,
          facts: { broken, sent, stall },
          remedy: { text: 'Look for congestion on the line, then run the check again.' },
        }
      }
    }
  },
})
