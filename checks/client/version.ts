import { defineCheck } from '../../src/check.ts'
import { calling, client, plannedUpload, route, server, settings } from '../../src/needs/declarations.ts'
import { isBefore, shellWord } from '../../src/words.ts'
import { defects, type Setting } from './data/defects.ts'

export default defineCheck({
  id: 'client/version',
  title: 'The MLflow client on this machine sends large files as this server expects, without a known defect',
  severity: 'error',
  on: ['check'],
  needs: [client],
  wants: [route, server, settings, plannedUpload, calling],
  facts: { clientVersion: 'text', serverVersion: 'text', skinnyVersion: 'text', since: 'text' },
  explain: {
    measures:
      'Finds the MLflow of the Python that would train (`--python`, else that of VIRTUAL_ENV, CONDA_PREFIX or PATH) by the metadata of its packages, without importing it, and compares its version with what is known to differ: versions that never send parts, that send them only when told to, that put them in the wrong place, or that log models by calls which an older server lacks. The same version decides the route in the forecast.',
    breaks:
      'Which route a large file takes depends on the client as much as on the server: the same file passes as 100 parts to the store from one machine, and fails as one request at the proxy from another.',
    remedy:
      'Install the version that is printed, into the environment that trains; or set the variable that is printed.',
  },
  async *run({ client, route: by, server, settings, plannedUpload: plan, calling }) {
    const { version, packages, python } = client
    const serverVersion = server?.info.version
    const setting: Setting = {
      proxied: by?.proxied === true,
      inParts: by?.proxied === true && by.multipart,
      offered: server?.info.multipartUploads === true,
      asked: settings?.proxyMultipart,
      ignoreTls: settings?.s3.ignoreTls === true,
      large: plan === undefined || (by !== undefined && plan.largest >= by.multipartMinimum),
      logsModel: (plan?.as ?? calling) === 'log_model',
      oldServer: serverVersion !== undefined && isBefore(serverVersion, '3.0.0rc0'),
    }
    const facts = { clientVersion: version, ...(serverVersion !== undefined && { serverVersion }) }
    const distribution = packages.mlflow === undefined ? 'mlflow-skinny' : 'mlflow'
    const install = (range: string) => `${shellWord(python)} -m pip install '${distribution}${range}'`
    for (const { from, before, severity, applies, does, threads, install: range, lines = [] } of defects) {
      if (from !== undefined && isBefore(version, from)) continue
      if (before !== undefined && !isBefore(version, before)) continue
      if (!applies(setting)) continue
      const known = threads.length === 0 ? '' : ` (mlflow/mlflow${threads.join(' and ')})`
      yield {
        kind: 'finding',
        at: python,
        severity,
        says: `MLflow ${version} ${does}${known}`,
        facts: { ...facts, ...(before !== undefined && { since: before }) },
        remedy: {
          text:
            lines.length === 0
              ? 'Install another version of the client.'
              : 'Install another version of the client; the other line helps without that.',
          commands: [install(range), ...lines],
        },
      }
    }
    const skinny = packages['mlflow-skinny']
    if (packages.mlflow !== undefined && skinny !== undefined && skinny !== packages.mlflow) {
      yield {
        kind: 'finding',
        at: python,
        severity: 'warning',
        says: `mlflow ${packages.mlflow} and mlflow-skinny ${skinny} are installed over each other: both own the folder mlflow/, and which files are whose depends on the order`,
        facts: { ...facts, skinnyVersion: skinny },
        remedy: {
          text: 'Install both in one version.',
          commands: [
            `${shellWord(python)} -m pip install --force-reinstall --no-deps 'mlflow==${packages.mlflow}' 'mlflow-skinny==${packages.mlflow}'`,
          ],
        },
      }
    }
  },
})
