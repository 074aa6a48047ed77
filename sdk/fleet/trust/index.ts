/** Who may put what on devices: keys, the signed metadata of a fleet, and the assignments of its devices. */

export { type Order, type OrderedBundle, signAssignment } from './assignments.ts';
export { Keyring, readKey, readKeys, readPublicKey, signersIn, writeKey, writePublicKey } from './keyring.ts';
export { type PublicKey, publicKey, Signer } from './keys.ts';
export { withLock } from './lock.ts';
export { LIFETIMES, Repository } from './repository.ts';
export {
  type Awaited,
  awaitedSignatures,
  isSameRoot,
  makeRoot,
  mergeRoots,
  ROLES,
  type RoleKeys,
  type RoleName,
  type RootContent,
  type RootFile,
  readForeignRoot,
  readRoot,
  signRoot,
} from './root.ts';
export { type MetadataFile, MetadataStore } from './store.ts';
export { type Delegation, readTargets, signTargets, type TargetsContent, targetPath } from './targets.ts';
