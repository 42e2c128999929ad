"""Plays an agent that works on a book through the Model Context Protocol, with the protocol's own SDK.

    agent.py CAS STORE          over standard input and output
    agent.py CAS URL/mcp        over HTTP, with the tokens in TOKEN_ADA and TOKEN_BOB

Begins with an empty store. Every step says what it expects; the first that is not met ends the script.
"""

import asyncio
import base64
import contextlib
import datetime
import json
import os
import sys

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import ResourceTemplateReference

TOOLS = {
    "list_books", "read_content", "write_content", "delete_content", "upload_asset", "get_asset", "list_assets",
    "glob_search", "grep_search", "get_book_archive", "validate_book", "plan_build", "get_audit_log", "edit_many",
    "branch_book", "sync_branch", "diff_versions", "history", "restore_version",
}


@contextlib.asynccontextmanager
async def agent(cas, where, name):
    """A client in somebody's name, over whichever transport `where` says."""
    if where.startswith("http"):
        headers = {"Authorization": "Bearer " + os.environ["TOKEN_" + name.upper()]}
        async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
            async with Client(streamable_http_client(where, http_client=http)) as client:
                yield client
    else:
        server = StdioServerParameters(command=cas, args=["mcp", "--store", where, "--actor", name])
        async with Client(stdio_client(server)) as client:
            yield client


async def do(client, tool, **arguments):
    """Calls a tool that is to succeed."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, (tool, arguments, result.content)
    # What is read by people is the same as what is read by programs.
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


async def fails(client, error, tool, **arguments):
    """Calls a tool that is to fail, and tells how."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, (tool, arguments, result.structured_content)
    told = result.structured_content
    assert told["error"] == error, told
    assert told["next"], told
    return told


async def play(cas, where):
    book = {"book": "guide"}
    lesson = {**book, "path": "docs/01-part/01-lesson.md"}
    async with agent(cas, where, "ada") as ada, agent(cas, where, "bob") as bob:
        tools = {tool.name: tool for tool in (await ada.list_tools()).tools}
        assert set(tools) == TOOLS, set(tools) ^ TOOLS
        for tool in tools.values():
            assert tool.description and tool.output_schema, tool.name
            assert tool.annotations.read_only_hint is not None, tool.name
        assert tools["read_content"].annotations.read_only_hint
        assert tools["delete_content"].annotations.idempotent_hint

        # Reads and writes.
        assert [b["book"] for b in (await do(ada, "list_books"))["books"]] == ["guide"]
        made = await do(ada, "write_content", **lesson, content="# Tides\n\nTwice a day.\n", message="Begin")
        first = made["results"][0]["new"]
        read = await do(bob, "read_content", **lesson)
        assert read["files"][0]["content"] == "# Tides\n\nTwice a day.\n"
        assert read["files"][0]["id"] == first
        assert read["last_change"]["message"] == "Begin"

        # A conflict: one of two is first, the other reads again and succeeds.
        told = await fails(bob, "HASH_REQUIRED", "write_content", **lesson, content="mine")
        assert told["current"] == first
        both = await asyncio.gather(*[
            client.call_tool("write_content", {**lesson, "content": f"# Tides\n\nSays {who}.\n", "expected_hash": first})
            for who, client in (("ada", ada), ("bob", bob))
        ])
        assert sorted(result.is_error or False for result in both) == [False, True]
        loser, other = (bob, "bob") if both[1].is_error else (ada, "ada")
        told = [result for result in both if result.is_error][0].structured_content
        assert told["error"] == "CONFLICT", told
        now = (await do(loser, "read_content", **lesson))["files"][0]
        assert now["id"] == told["current"]
        await do(loser, "write_content", **lesson, content=now["content"] + f"And {other}.\n", expected_hash=now["id"])

        # Bad input is told as such.
        await fails(ada, "NOT_FOUND", "read_content", **book, path="no/such.md")
        await fails(ada, "INVALID_PATH", "write_content", **book, path="../up.md", content="x")
        await fails(ada, "INVALID_ARGUMENT", "read_content", path="x")
        await fails(ada, "INVALID_ARGUMENT", "grep_search", **book, pattern="(")
        await fails(ada, "INVALID_ARGUMENT", "read_content", **book, ref="main", user="eve")

        # Several files as one version; pictures.
        await asyncio.sleep(0.01)
        before = datetime.datetime.now(datetime.timezone.utc).isoformat()
        await do(ada, "edit_many", **book, message="A chapter", edits=[
            {"op": "put", "path": "docs/02-part/01-rocks.md", "text": "# Rocks\n\nLimpets.\n"},
            {"op": "put", "path": "docs/02-part/02-sand.md", "text": "# Sand\n\nWorms.\n"},
        ])
        pixels = base64.b64encode(b"\x89PNG not quite").decode()
        await do(ada, "upload_asset", **book, path="static/img/a.png", base64=pixels)
        asset = await do(bob, "get_asset", **book, path="static/img/a.png")
        assert asset["base64"] == pixels and asset["content_type"] == "image/png"
        large = await do(ada, "upload_asset", **book, path="static/film.mp4")
        assert large["outcome"] == "upload" and large["upload"]["method"] == "PUT"
        assert [f["path"] for f in (await do(ada, "list_assets", **book))["files"]] == ["static/img/a.png"]
        chapter = await do(bob, "read_content", **book, path="docs/02-part")
        assert [f["path"][-8:] for f in chapter["files"]] == ["rocks.md", "-sand.md"]
        little = await do(bob, "read_content", **book, path="docs/02-part", limit_bytes=20)
        assert len(little["files"]) == 1 and len(little["left_off"]) == 1

        # A reader's own copy: read before it is there, changed, brought up to date, never seen by others.
        await do(ada, "branch_book", **book, user="eve", follow="pinned")
        hers = {**book, "user": "eve", "path": "docs/02-part/01-rocks.md"}
        id = (await do(ada, "read_content", **hers))["files"][0]["id"]
        await do(ada, "write_content", **hers, content="# Rocks\n\nEve was here.\n", expected_hash=id)
        sand = {**book, "path": "docs/02-part/02-sand.md"}
        id = (await do(ada, "read_content", **sand))["files"][0]["id"]
        await do(ada, "write_content", **sand, content="# Sand\n\nLugworms.\n", expected_hash=id)
        synced = await do(ada, "sync_branch", **book, user="eve")
        assert synced["status"] == "merged", synced
        lines = (await do(ada, "grep_search", **book, user="eve", pattern="Lugworms|Eve"))["lines"]
        assert len(lines) == 2, lines
        lines = (await do(ada, "grep_search", **book, pattern="Lugworms|Eve"))["lines"]
        assert len(lines) == 1, lines
        diff = await do(ada, "diff_versions", **book, **{"from": "main", "to": "users/eve"})
        assert [c["path"] for c in diff["changes"]] == ["docs/02-part/01-rocks.md"]

        # A merge that fails, and one that is told what to take.
        id = (await do(ada, "read_content", **book, path=hers["path"]))["files"][0]["id"]
        await do(ada, "write_content", **book, path=hers["path"], content="# Rocks\n\nThe press.\n", expected_hash=id)
        synced = await do(ada, "sync_branch", **book, user="eve")
        assert synced["status"] == "conflict", synced
        assert synced["merge"]["conflicts"][0]["path"] == hers["path"], synced
        await do(ada, "sync_branch", **book, user="eve", on_conflict="ours")

        # Searches, builds, archives, going back.
        found = await do(bob, "glob_search", **book, pattern="docs/**/*.md")
        assert len(found["files"]) == 3
        plan = await do(bob, "plan_build", **book, **{"from": before})
        assert plan["status"] == "changed" and len(plan["files"]) == 3, plan
        again = await do(bob, "plan_build", **book, **{"from": "main"})
        assert again["status"] == "unchanged" and again["files"] == []
        assert (await do(bob, "plan_build", **book, **{"from": "main~4"}))["files"] == plan["files"]
        archive = await do(bob, "get_book_archive", **book)
        assert archive["url"] == "/v1/books/guide/refs/main/archive.tar" and archive["size"] > 0, archive
        assert (await do(bob, "validate_book", **book))["ok"]
        gone = await do(ada, "delete_content", **lesson)
        assert gone["existed"]
        assert not (await do(ada, "delete_content", **lesson))["existed"]
        back = await do(ada, "restore_version", **book, paths=[lesson["path"]], **{"from": "main~1"})
        assert back["changed"]

        # One of 32.
        now = (await do(ada, "read_content", **lesson))["files"][0]["id"]
        racing = await asyncio.gather(*[
            (ada, bob)[n % 2].call_tool("write_content", {**lesson, "content": f"{n}\n", "expected_hash": now})
            for n in range(32)
        ])
        assert sum(not result.is_error for result in racing) == 1

        # Files as resources.
        templates = (await ada.list_resource_templates()).resource_templates
        assert [t.uri_template for t in templates] == ["book://{book}/{ref}/{+path}"]
        text = (await ada.read_resource("book://guide/users%2Feve/docs/02-part/02-sand.md")).contents[0].text
        assert "Lugworms" in text
        with contextlib.suppress(MCPError):
            await ada.read_resource("book://guide/main/no/such.md")
            raise AssertionError("what is not there was read")
        assert [str(at.uri) for at in (await ada.list_resources()).resources] == ["book://guide/main/"]
        assert await goes_on(ada, "book", "gu") == ["guide"]
        assert await goes_on(ada, "ref", "users/", book="guide") == ["users/eve"]
        there = {"book": "guide", "ref": "users/eve"}
        assert await goes_on(ada, "path", "docs/0", **there) == ["docs/01-part/", "docs/02-part/"]
        assert "docs/02-part/02-sand.md" in await goes_on(ada, "path", "docs/02-part/", **there)
        assert await goes_on(ada, "path", "docs/", book="none", ref="main") == []

        # Everybody under their own name.
        audit = (await do(ada, "get_audit_log", **lesson, pattern="main"))["entries"]
        assert {entry["actor"] for entry in audit} == {"ada", "bob"}, audit
        for newer, older in zip(audit, audit[1:]):
            assert newer["change"]["previous"] == older["change"]["new"]


async def goes_on(client, name, typed, **known):
    """What an argument of the resources' template may go on as."""
    template = ResourceTemplateReference(type="ref/resource", uri="book://{book}/{ref}/{+path}")
    argument = {"name": name, "value": typed}
    return (await client.complete(template, argument, context_arguments=known or None)).completion.values


def main():
    cas, where = sys.argv[1:]
    asyncio.run(asyncio.wait_for(play(cas, where), 120))
    print(f"the agent's script passed over {'HTTP' if where.startswith('http') else 'stdio'}")


main()
