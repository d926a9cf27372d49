import { defineCheck, type Finding } from '../../src/check.ts'
import { bucketSettings, route, server, settings, target } from '../../src/needs/declarations.ts'
import { shellWord } from '../../src/words.ts'

/** From 3.18.0 on, the server begins multipart uploads with MLFLOW_S3_UPLOAD_EXTRA_ARGS (its source; 3.17.0 ignores them). */
const honoursArguments = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 3 || (major === 3 && minor >= 18)
}

/** All values of the header. */
const every: readonly string[] = ['AES256', 'aws:kms', 'aws:kms:dsse']

const facts = { demanded: 'text', carried: 'text' } as const

export default defineCheck({
  id: 'store/encryption',
  title: 'Uploads carry the encryption that the bucket demands',
  severity: 'error',
  on: ['check'],
  needs: [target, bucketSettings, settings, route],
  wants: [server],
  facts,
  explain: {
    measures:
      'Reads the default encryption of the bucket, and its policy for a refusal of uploads without x-amz-server-side-encryption or with another value in it, and compares that with what MLFLOW_S3_UPLOAD_EXTRA_ARGS has uploads carry. A default encryption alone asks nothing of clients.',
    breaks:
      'A policy that demands the header refuses every upload without it: AccessDenied, although s3:PutObject is allowed. Servers before MLflow 3.18 send MLFLOW_S3_UPLOAD_EXTRA_ARGS with whole files and not when they begin a multipart upload: small files pass, and large ones fail.',
    remedy:
      'Set MLFLOW_S3_UPLOAD_EXTRA_ARGS where the upload happens: in the client on the direct route, at the server where it passes artifacts on. Best of all, give the bucket that encryption as its default and take the demand out of its policy.',
  },
  async *run({ target, bucketSettings: bucket, settings, route, server }) {
    const { demandedEncryption: policy } = bucket
    if ('untold' in policy) {
      if (policy.untold.kind === 'unsupported') return
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because: `whether the policy of the bucket demands an encryption cannot be read, which takes s3:GetBucketPolicy: ${policy.untold.why}`,
        unexpected: false,
      }
      return
    }
    const demanded = policy.told
    if (demanded === undefined) return
    const [wanted = 'AES256'] = demanded
    const any = every.every((one) => demanded.includes(one))
    const values = demanded.join(' or ')
    const line = (args: Readonly<Record<string, string>>) =>
      `export MLFLOW_S3_UPLOAD_EXTRA_ARGS=${shellWord(JSON.stringify({ ...args, ServerSideEncryption: wanted }))}`
    const policySays = `the policy of ${bucket.name} refuses uploads ${any ? 'without x-amz-server-side-encryption' : `whose x-amz-server-side-encryption is not ${values}`}`
    if (!route.proxied) {
      const sent = settings.s3.extraArgs.ServerSideEncryption
      if (sent !== undefined && demanded.includes(sent)) return
      yield {
        kind: 'finding',
        at: target.name,
        says: `${policySays}, and ${sent === undefined ? 'those of this machine carry none' : `those of this machine say ${sent}`}`,
        facts: { demanded: any ? 'any' : values, ...(sent !== undefined && { carried: sent }) },
        remedy: { text: 'Have uploads carry it.', commands: [line(settings.s3.extraArgs)] },
      }
      return
    }
    const version = server?.info.version
    const parts = route.multipart && version !== undefined && !honoursArguments(version)
    const finding: Finding<typeof facts> = {
      kind: 'finding',
      at: target.name,
      ...(!parts && { severity: 'warning' as const }),
      says: parts
        ? `${policySays}, and a server of MLflow ${version} begins multipart uploads without it, whatever MLFLOW_S3_UPLOAD_EXTRA_ARGS says: files that go in parts fail`
        : `${policySays}, so the server needs MLFLOW_S3_UPLOAD_EXTRA_ARGS, which does not show from here`,
      facts: { demanded: any ? 'any' : values },
      remedy: parts
        ? {
            text: `Upgrade the server to MLflow 3.18 or later and set MLFLOW_S3_UPLOAD_EXTRA_ARGS there, or have clients send whole files, or make ${wanted} the default encryption of ${bucket.name} and take the demand out of its policy.`,
            commands: ['export MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=false'],
          }
        : { text: 'Set this in the environment of the server.', commands: [line({})] },
    }
    yield finding
  },
})
