import { useQuery } from "@tanstack/react-query";
import { useCurrentOrg } from "@/api/current-org";
import { membersQuery } from "@/api/members";
import type { Machine } from "@/api/tables";
import { Copyable } from "@/components/copy";
import { Timestamp } from "@/components/timestamp";
import { Badge } from "@/components/ui/badge";
import { Card, Fact, Facts } from "@/components/ui/card";
import { countryName } from "@/lib/countries";
import { useNow } from "@/lib/now";
import { keyExpiry } from "../key-expiry";
import { osName } from "../list/columns";
import { LastSeen, TagBadges } from "../status";

const PUBLIC_KEY_SHOWN = 16;

export function DetailsCard({ machine, keyExpiryDays }: { machine: Machine; keyExpiryDays: number | undefined }) {
  const expiry = keyExpiry(machine, keyExpiryDays, useNow(60_000));
  return (
    <Card title="Machine Details">
      <Facts>
        <Fact name="Name">{machine.name}</Fact>
        <Fact name="OS">
          {osName(machine.os)}
          {machine.os_version_detail && <span className="text-muted">{machine.os_version_detail}</span>}
        </Fact>
        <Fact name="Version">
          {machine.version ? `v${machine.version}` : "–"}
        </Fact>
        <Fact name="ID">
          <Copyable text={machine.id} label="id" />
        </Fact>
        <Fact name="Public key">
          {machine.public_key ? <Copyable text={machine.public_key} shown={`${machine.public_key.slice(0, PUBLIC_KEY_SHOWN)}…`} label="public key" /> : "–"}
        </Fact>
        <Fact name="Post-quantum keys">{machine.mlkem_public_key ? <Badge colour="violet">ML-KEM-768</Badge> : <Badge colour="orange">Classical only</Badge>}</Fact>
        <Fact name="Created">
          <Timestamp at={machine.created_at} />
        </Fact>
        <Fact name="Last seen">
          <LastSeen machine={machine} />
        </Fact>
        <Fact name="Country">{machine.country ? countryName(machine.country) : "Unknown"}</Fact>
        <Fact name="Key expiry">{expiry ? <Badge colour={expiry.colour}>{expiry.text}</Badge> : "–"}</Fact>
      </Facts>
    </Card>
  );
}

export function AddressesCard({ machine }: { machine: Machine }) {
  return (
    <Card title="Addresses">
      <Facts>
        <Fact name="IPv4">
          <Copyable text={machine.tailnet_ip} label="IPv4 address" />
        </Fact>
        {machine.tailnet_ipv6 && (
          <Fact name="IPv6">
            <Copyable text={machine.tailnet_ipv6} label="IPv6 address" />
          </Fact>
        )}
        <Fact name="Short name">
          <Copyable text={machine.name} label="short name" />
        </Fact>
        <Fact name="Full name">
          <Copyable text={machine.magicdns_name} label="full name" />
        </Fact>
      </Facts>
    </Card>
  );
}

export function SettingsCard({ machine }: { machine: Machine }) {
  const { org } = useCurrentOrg();
  const { data: members } = useQuery(membersQuery(org.id));
  const owner = members?.find(({ user_id }) => user_id === machine.owner_id);
  return (
    <Card title="Machine Settings">
      <Facts>
        <Fact name="Owner">{owner ? (owner.full_name ?? owner.email) : machine.owner_id ? "A former member" : "None, enrolled by key"}</Fact>
        <Fact name="Approval">
          {machine.status === "pending" ? <Badge colour="yellow">Pending Approval</Badge> : <Badge colour="green">Approved</Badge>}
        </Fact>
        {machine.approved_at && (
          <Fact name="Approved">
            <Timestamp at={machine.approved_at} />
          </Fact>
        )}
      </Facts>
    </Card>
  );
}

export function AttributesCard({ machine }: { machine: Machine }) {
  return (
    <Card title="Attributes">
      <Facts>
        <Attribute name="node:os">{machine.os}</Attribute>
        <Attribute name="clientVersion">{machine.version ?? "–"}</Attribute>
        <Attribute name="exitNode">{yesNo(machine.advertise_exit_node)}</Attribute>
        <Attribute name="exitNodeApproved">{yesNo(machine.exit_node_approved)}</Attribute>
        <Attribute name="shieldsUp">{machine.shields_up ? <Badge colour="orange">true</Badge> : "false"}</Attribute>
        <Attribute name="sshEnabled">{machine.ssh_enabled ? <Badge colour="green">true</Badge> : "false"}</Attribute>
        <Attribute name="acceptRoutes">{yesNo(machine.accept_routes)}</Attribute>
        <Fact name="Tags">{machine.tags.length ? <TagBadges tags={machine.tags} /> : "None"}</Fact>
      </Facts>
    </Card>
  );
}

function Attribute({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <Fact name={name}>
      <span className="font-mono text-[0.82rem]">{children}</span>
    </Fact>
  );
}

const yesNo = (value: boolean) => (value ? "true" : "false");
