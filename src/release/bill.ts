/** The software bill of materials: CycloneDX 1.6 in JSON (ECMA-424). */

// The library validates with these, if the program has them.
import "ajv";
import "ajv-formats";
import "ajv-formats-draft2019";
import { Enums, Models, Serialize, SPDX, Spec, Validation } from "@cyclonedx/cyclonedx-library";
import denoJson from "../../deno.json" with { type: "json" };
import type { Executable } from "./executables.ts";
import { idOf, type Part, ReleaseError } from "./part.ts";

const TYPES: Readonly<Record<Part["kind"], Enums.ComponentType>> = {
  package: Enums.ComponentType.Library,
  runtime: Enums.ComponentType.Platform,
  library: Enums.ComponentType.Library,
  data: Enums.ComponentType.Data,
};

/**
 * The bill as JSON. It has neither time nor serial number: the same executables have the same one.
 * @throws {ReleaseError} where CycloneDX's schema does not allow it.
 */
export async function billOf(
  executables: readonly Executable[],
  parts: readonly Part[],
): Promise<string> {
  const components = new Map(parts.map((part) => [idOf(part), componentOf(part)]));
  for (const part of parts) {
    for (const need of part.needs) {
      const needed = components.get(need); // what is not in the executables is not listed
      if (needed !== undefined) components.get(idOf(part))?.dependencies.add(needed.bomRef);
    }
  }
  const bom = new Models.Bom({
    metadata: new Models.Metadata({ component: programOf(executables, [...components.values()]) }),
    components: new Models.ComponentRepository(components.values()),
  });
  const normalizers = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  const text = new Serialize.JsonSerializer(normalizers).serialize(bom, {
    sortLists: true,
    space: 2,
  });
  await validate(text);
  return text + "\n";
}

/** Exported for the test that a wrong bill is noticed. */
export async function validate(text: string): Promise<void> {
  const mistakes = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
  if (mistakes === null) return;
  throw new ReleaseError(
    `The bill of materials does not follow CycloneDX 1.6: ${
      JSON.stringify(mistakes).slice(0, 500)
    }`,
  );
}

function programOf(
  executables: readonly Executable[],
  inside: readonly Models.Component[],
): Models.Component {
  const { version, license } = denoJson;
  const program = new Models.Component(Enums.ComponentType.Application, "tributary", {
    version,
    bomRef: `tributary@${version}`,
    licenses: licencesOf(license),
  });
  for (const { name, sha256 } of executables) {
    program.components.add(
      new Models.Component(Enums.ComponentType.File, name, {
        bomRef: name,
        hashes: new Models.HashDictionary([[Enums.HashAlgorithm["SHA-256"], sha256]]),
      }),
    );
  }
  for (const { bomRef } of inside) program.dependencies.add(bomRef);
  return program;
}

function componentOf(part: Part): Models.Component {
  const [, group, name = part.name] = /^(@[^/]+)\/(.+)$/.exec(part.name) ?? [];
  const component = new Models.Component(TYPES[part.kind], name, {
    bomRef: idOf(part),
    licenses: licencesOf(part.licence),
    ...(group === undefined ? {} : { group }),
    ...(part.version === undefined ? {} : { version: part.version }),
    ...(part.purl === undefined ? {} : { purl: part.purl }),
    ...(part.copyright === undefined ? {} : { copyright: part.copyright }),
    ...(part.description === undefined ? {} : { description: part.description }),
  });
  if (part.sha512 !== undefined) component.hashes.set(Enums.HashAlgorithm["SHA-512"], part.sha512);
  if (part.source !== undefined) {
    component.externalReferences.add(
      new Models.ExternalReference(part.source, Enums.ExternalReferenceType.Website),
    );
  }
  return component;
}

function licencesOf(licence: string): Models.LicenseRepository {
  const one = SPDX.isSupportedSpdxId(licence)
    ? new Models.SpdxLicense(licence)
    : /\s(AND|OR|WITH)\s/.test(licence)
    ? new Models.LicenseExpression(licence)
    : new Models.NamedLicense(licence);
  return new Models.LicenseRepository([one]);
}
