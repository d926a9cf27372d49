import { defineCheck, type Severity } from '../../src/check.ts'
import { cloudRights, route, store, target } from '../../src/needs/declarations.ts'
import { count } from '../../src/words.ts'

interface Meaning {
  readonly without: string
  readonly severity: Severity
}

const meanings: Readonly<Record<string, Meaning>> = {
  'storage.objects.create': { without: 'no file can be uploaded', severity: 'error' },
  'storage.objects.list': { without: 'MLflow cannot list artifacts, and scan finds nothing', severity: 'warning' },
  'storage.objects.get': { without: 'models cannot be loaded, and sizes cannot be verified', severity: 'warning' },
  // cloud.google.com/storage/docs/uploading-objects: "objects.delete … for uploads that overwrite an existing object".
  'storage.objects.delete': { without: 'no file can be sent again over a damaged one', severity: 'warning' },
  'storage.multipartUploads.list': { without: 'scan cannot find uploads that a server began', severity: 'info' },
  'storage.multipartUploads.abort': { without: 'what such an upload left cannot be given back', severity: 'info' },
}
const ranks: readonly Severity[] = ['info', 'warning', 'error']

export default defineCheck({
  id: 'store/rights',
  title: 'The login for Google Cloud Storage may do what uploads, scan and repair need',
  severity: 'error',
  on: ['check'],
  needs: [target, store, cloudRights],
  wants: [route],
  facts: { missing: 'text' },
  explain: {
    measures:
      'Asks Google Cloud Storage which permissions this login has in the bucket (testIamPermissions, which needs none itself). What S3 grants is told by store/permissions; on Azure, store/multipart tries each step.',
    breaks:
      'The role Storage Object Creator uploads and can do nothing else: a file that exists cannot be replaced, so the retry of an upload fails with 403 after the first try has arrived, and models cannot be listed or loaded.',
    remedy:
      'Grant the role Storage Object User (roles/storage.objectUser) on the bucket, which has all of them. Where artifacts pass the tracking server, it uploads with its own login, and the one that is tried here serves scan and repair alone.',
  },
  async *run({ target, store, cloudRights: rights, route }) {
    const doctorOnly = route?.proxied === true
    const missing = rights.filter(({ state }) => state === 'denied').map(({ action }) => action)
    if (missing.length === 0) return
    const what = missing.map((action) => `${action} (${meanings[action]?.without ?? 'what needs it fails'})`).join(', ')
    const worst = missing.map((action) => meanings[action]?.severity ?? 'warning')
    yield {
      kind: 'finding',
      at: target.name,
      severity: doctorOnly ? 'info' : worst.reduce((a, b) => (ranks.indexOf(b) > ranks.indexOf(a) ? b : a)),
      says: `in ${store.uri} ${doctorOnly ? "your own login, which scan and repair use while uploads go with the server's, lacks" : 'the login in use lacks'} ${count(missing.length, 'permission')}: ${what}`,
      facts: { missing: missing.join(' ') },
      remedy: {
        text: 'Grant the role Storage Object User on the bucket.',
        commands: [
          `gcloud storage buckets add-iam-policy-binding gs://${/^gs:\/\/([^/]+)/.exec(store.uri)?.[1] ?? 'BUCKET'} --member=PRINCIPAL --role=roles/storage.objectUser`,
        ],
      },
    }
  },
})
