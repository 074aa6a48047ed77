import { dirname } from 'node:path';
import type { AgentConfig } from './config.ts';

/** Seconds without a sign of life after which systemd starts the agent again. */
const WATCHDOG_SECONDS = 60;

export interface UnitRequest {
  readonly config: AgentConfig;
  /** Words that start the agent, its configuration among them. */
  readonly start: readonly string[];
}

/**
 * The text of a systemd unit. The agent runs without privileges, sees the system read-only, and writes to its state folder and the
 * folder of its socket. WebAssembly and native kernels are code made at run time, so memory may be executable.
 */
export function agentUnit({ config, start }: UnitRequest): string {
  const writable = [config.state, ...(config.socket === undefined ? [] : [dirname(config.socket)])];
  return `[Unit]
Description=EigenWeights agent
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
ExecStart=${start.map((word) => quoted(word.replaceAll('$', '$$$$'))).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
WatchdogSec=${WATCHDOG_SECONDS}
TimeoutStartSec=300
User=eigenweights
Group=eigenweights
UMask=0007
Environment=${quoted(`EIGEN_CACHE=${config.state}/cache`)}
ReadWritePaths=${writable.map(quoted).join(' ')}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
CapabilityBoundingSet=
OOMScoreAdjust=-200

[Install]
WantedBy=multi-user.target
`;
}

/** A word as systemd reads it back. In commands, and only there, a dollar has to be doubled. */
function quoted(word: string): string {
  const safe = word.replaceAll('%', '%%');
  return /^[\w@%+=:,./$-]+$/.test(safe) ? safe : `"${safe.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
