"""What people do on the page, in a browser: submit, watch, select, cancel, retry, mend, look."""

import json
import re

import pytest
from playwright.sync_api import expect

from delocal.api.serving import serving
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Settings
from tests.page.conftest import PHONE

SMALL = {
    "models": ["scaling"],
    "name": "small",
    "axes": {"alpha": [2.5, 3, 3.5], "T": {"geomspace": [1e-4, 1e-2, 5]}},
    "fixed": {"d": 2, "beta": 2.5, "W": 1},
}
LONG = {
    "models": ["mott-percolation"],
    "name": "long",
    "axes": {"box": [8, 16]},
    "fixed": {"d": 3},
    "sampling": {"replicas": 20_000},
}
BROKEN = {
    "models": ["hopping"],
    "name": "broken",
    "axes": {"T": [0.01, 0.02, 0.04]},
    "fixed": {"d": 2},
}


def submit(service, request):
    return service.sweeps.submit(SweepRequest.parse(request)).id


def state(page):
    return page.locator("h1 + span .badge")


def choose(page, name, how, *values):
    """Say how a parameter is given, and its numbers."""
    row = page.locator(f'[aria-labelledby="name-{name}"]')
    row.locator("select").first.select_option(how)
    for field, value in zip(row.locator("input").all(), values, strict=True):
        field.fill(str(value))


def test_a_sweep_is_made_with_the_keyboard_alone(open_page, fresh):
    url, service = fresh
    page = open_page(url)
    expect(page.get_by_text("No sweeps yet")).to_be_visible()
    keys = page.keyboard
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("link", name="Make the first one").focus()
    keys.press("Enter")
    expect(page.get_by_role("heading", name="New sweep")).to_be_focused()
    assert page.title() == "New sweep · delocal"
    give_with_keys(page, {"d": "2", "alpha": "3", "beta": "2.5", "W": "1"})
    page.get_by_label("T: how it is given", exact=True).focus()
    keys.type("range, even on")
    for number in ("1e-4", "1e-2", "5"):
        keys.press("Tab")
        keys.press("Control+A")
        keys.type(number)
    expect(page.get_by_label("What it would cost")).to_contain_text("Cells5")
    keys.press("Enter")
    expect(state(page)).to_have_text("done")
    [sweep] = service.ledger.newest(2)
    assert sweep.request["axes"] == {"T": {"geomspace": [1e-4, 1e-2, 5]}}


def give_with_keys(page, values):
    for name, value in values.items():
        page.get_by_label(f"{name}: how it is given", exact=True).focus()
        page.keyboard.type("one value")
        page.keyboard.press("Tab")
        page.keyboard.type(value)


def test_an_example_fills_the_form_and_its_cells_can_be_looked_at(open_page, served):
    page = open_page(f"{served[0]}/#/new")
    page.get_by_label("Load an example").select_option(
        label="Lineshape of a localized level with slow neighbours"
    )
    expect(page.get_by_label("omega: how it is given", exact=True)).to_have_value("geomspace")
    expect(page.get_by_label("What it would cost")).to_contain_text("Cells251")
    page.get_by_label("Name", exact=True).fill("a line")
    page.get_by_role("button", name="Submit the sweep").click()
    expect(page.get_by_role("heading", name="a line")).to_be_focused()
    expect(state(page)).to_have_text("done")
    plot = page.get_by_role("img", name=re.compile("over omega: 251 done"))
    plot.click()
    table = page.get_by_role("region", name="Values of the cell")
    expect(table).to_contain_text("status")
    expect(table.locator("caption")).to_contain_text("omega = ")
    expect(page.locator("pre").first).to_contain_text("xr.open_zarr")


def test_what_is_wrong_stands_beside_its_field(open_page, served):
    page = open_page(f"{served[0]}/#/new")
    for name, value in {"d": 2, "beta": 2.5, "W": 1, "alpha": -3}.items():
        choose(page, name, "fixed", value)
    row = page.locator('[aria-labelledby="name-alpha"]')
    expect(row.locator(".wrong")).to_have_text("-3 is not allowed; finite number, 0 < alpha")
    alpha = row.get_by_label("alpha: value")
    expect(alpha).to_have_attribute("aria-invalid", "true")
    assert alpha.get_attribute("aria-describedby") == row.locator(".wrong").get_attribute("id")
    temperature = page.locator('[aria-labelledby="name-T"]')
    expect(temperature.locator(".wrong")).to_be_empty()
    page.get_by_role("button", name="Submit the sweep").click()
    expect(page.locator("main .failure")).to_be_focused()
    expect(temperature.locator(".wrong")).to_contain_text("needs T (temperature)")
    page.locator(".failure").get_by_role("button", name="axes.T").click()
    expect(page.get_by_label("T: how it is given", exact=True)).to_be_focused()
    choose(page, "T", "list", "0.1, 0.2")
    alpha.fill("3")
    expect(row.locator(".wrong")).to_be_empty()
    expect(page.get_by_label("What it would cost")).to_contain_text("Cells2")


def test_the_text_and_the_form_are_the_same_request(open_page, served):
    page = open_page(f"{served[0]}/#/new")
    page.get_by_text("The request as text").click()
    text = page.get_by_label("What is sent, as JSON")
    text.fill(json.dumps({**SMALL, "exclude": [{"alpha": {"lt": "beta"}}], "tags": ["x"]}))
    text.blur()
    expect(page.get_by_label("alpha: values")).to_have_value("2.5, 3, 3.5")
    expect(page.get_by_label("Number or parameter")).to_have_value("beta")
    expect(page.get_by_label("Tags")).to_have_value("x")
    page.get_by_label("Comparison").select_option("gt")
    page.get_by_label("Model", exact=True).select_option("network")
    page.get_by_label("Replicas of a cell").fill("8")
    request = json.loads(text.input_value())
    assert request["exclude"] == [{"alpha": {"gt": "beta"}}]
    assert (request["models"], request["sampling"]) == (["network"], {"replicas": 8})
    text.fill("{")
    text.blur()
    expect(page.locator("#request-text + .wrong")).not_to_be_empty()


def test_a_sweep_that_runs_is_watched_and_cancelled(open_page, served):
    url, service = served
    page = open_page(f"{url}/#/sweeps/{submit(service, LONG)}")
    expect(state(page)).to_have_text("running")
    progress = re.compile(r"0 of 2 cells, \d+% of the work, about .* left")
    expect(page.get_by_text(progress)).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(state(page)).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Compute the rest")).to_be_visible()
    page.get_by_role("button", name="Put into the trash").click()
    expect(state(page)).to_have_text("deleted")
    page.get_by_role("button", name="Restore").click()
    expect(state(page)).to_have_text("cancelled")


def test_cells_fill_in_while_the_page_is_open(open_page, served, held):
    url, service = served
    quick = {**LONG, "name": "quick", "fixed": {"d": 2}, "sampling": {"replicas": 400}, "seed": 7}
    page = open_page(f"{url}/#/sweeps/{submit(service, quick)}")
    expect(page.get_by_role("img", name=re.compile("2 not computed yet"))).to_be_visible()
    held()
    expect(page.get_by_role("img", name=re.compile("over box: 2 done"))).to_be_visible()
    expect(state(page)).to_have_text("done")
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")


def test_failures_say_why_and_are_retried(open_page, served, broken):
    url, service = served
    broken()
    page = open_page(f"{url}/#/sweeps/{submit(service, BROKEN)}")
    reason = page.get_by_text("ZeroDivisionError")
    expect(reason.first).to_be_visible()
    reason.first.click()
    expect(page.get_by_text("Traceback").first).to_be_visible()
    broken(False)
    page.get_by_role("button", name="Retry what failed").click()
    expect(page.get_by_label("Cells by status", exact=True)).to_have_text("3 done")
    expect(page.get_by_role("heading", name="Failures")).to_be_hidden()


def test_a_sweep_is_extended(open_page, served):
    url, service = served
    page = open_page(f"{url}/#/sweeps/{submit(service, SMALL)}")
    page.get_by_text("Extend", exact=True).click()
    page.get_by_label("Add", exact=True).select_option("axes.alpha")
    values = page.get_by_label("Values", exact=True)
    values.fill("x")
    values.press("Enter")
    expect(page.locator("#wrong-extend")).to_contain_text("number")
    expect(values).to_be_focused()
    values.fill("4, 5")
    values.press("Enter")
    expect(page.get_by_label("Cells by status", exact=True)).to_contain_text(re.compile("25|done"))
    expect(page.get_by_text("25 cells")).to_be_visible()


def test_figures_are_drawn_and_chosen(open_page, served):
    url, service = served
    page = open_page(f"{url}/#/sweeps/{submit(service, SMALL)}")
    figures = page.get_by_role("region", name="Figures")
    caption = figures.locator("figcaption")
    expect(caption).to_contain_text("Regions of the power-law spin model, d = 2")
    figures.get_by_label("Figure").select_option("kappa")
    expect(figures.locator("select[name=figure-at-alpha]")).to_have_value("3")  # it must be cut
    expect(caption).to_contain_text("alpha = 3")
    figures.locator("select[name=figure-at-alpha]").select_option("3.5")
    expect(caption).to_contain_text("alpha = 3.5")
    figures.get_by_label("Figure").select_option("heatmap")
    variable = figures.locator("select[name=figure-variable]")
    variable.focus()
    variable.select_option("R1")
    expect(figures.get_by_role("img", name=re.compile("optimal pseudo-spins"))).to_be_visible()
    expect(variable).to_be_focused()


def test_the_phase_diagram_is_read_at_a_point(open_page, served):
    page = open_page(f"{served[0]}/#/explore?d=2&alpha=3&beta=2.5")
    regime = page.locator(".regime")
    expect(regime).to_have_text(re.compile("Region IIb; the largest .* by spectral diffusion"))
    channels = page.get_by_role("region", name="Thermal conductivity by channel")
    expect(channels.locator(".marked")).to_contain_text("kappa_sd")
    expect(page.get_by_role("region", name="Lengths")).to_contain_text("R1")
    diagram = page.get_by_role("application", name="Phase diagram")
    expect(diagram.locator(".heatmaplayer image")).to_be_visible()
    diagram.focus()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("beta", exact=True)).to_have_value("2.55")
    area = diagram.locator(".nsewdrag").first.bounding_box()
    page.mouse.click(area["x"] + area["width"] * 0.7, area["y"] + area["height"] * 0.1)
    expect(regime).to_contain_text("Region MBL")
    assert float(page.get_by_label("alpha", exact=True).input_value()) > 6
    page.reload()
    expect(regime).to_contain_text("Region MBL")
    page.get_by_label("T", exact=True).fill("-1")
    expect(page.get_by_label("T", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("-1 is not allowed")).to_be_visible()


def test_the_list_is_filtered_and_names_are_text(open_page, fresh):
    url, service = fresh
    hostile = "<img src=x onerror=alert(1)>"
    submit(service, {**SMALL, "name": hostile, "tags": ["odd"]})
    submit(service, {**SMALL, "seed": 2})
    page = open_page(url)
    items = page.get_by_role("list", name="Sweeps").get_by_role("listitem")
    expect(items).to_have_count(2)
    page.get_by_label("State").select_option("failed")
    expect(page.get_by_text("No sweep is like that")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    page.get_by_label("Search", exact=True).fill("odd")
    page.keyboard.press("Enter")
    expect(items).to_have_count(1)
    page.get_by_role("link", name=hostile).click()
    expect(page.get_by_role("heading", name=hostile)).to_be_focused()
    page.go_back()
    expect(page.get_by_label("Search", exact=True)).to_have_value("odd")


def test_who_has_no_key_is_asked_for_one(open_page, locked):
    url, service = locked
    page = open_page(url)
    dialog = page.get_by_role("dialog", name="A key is needed")
    dialog.get_by_label("API key").fill("delocal_000000000000_wrong")
    dialog.get_by_role("button", name="Use this key").click()
    expect(dialog.get_by_label("API key")).to_have_value("")
    text = service.keys.create("laptop")[1]
    dialog.get_by_label("API key").fill(text)
    dialog.get_by_label("API key").press("Enter")
    expect(page.get_by_text("No sweeps yet")).to_be_visible()
    sweep = submit(service, LONG)
    page.goto(f"{url}/#/sweeps/{sweep}")
    expect(state(page)).to_have_text("running")
    service.sweeps.cancel(sweep)
    expect(state(page)).to_have_text("cancelled")
    with page.expect_download() as found:
        page.get_by_role("button", name="JSON").click()
    assert found.value.suggested_filename == f"{sweep}-mott-percolation.json"
    expect(page.locator("pre").first).to_contain_text("DELOCAL_KEY")
    assert text not in page.content()
    assert page.evaluate("[document.cookie, localStorage.length].join()") == ",0"
    assert page.evaluate("sessionStorage.getItem('delocal-key')") == text


def test_a_key_may_be_declined(open_page, locked):
    page = open_page(f"{locked[0]}/#/new")
    page.get_by_role("button", name="Without a key").click()
    expect(page.get_by_role("alert").filter(has_text="The key is")).to_be_hidden()
    expect(page.locator("main .failure")).to_contain_text("A key is needed")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_key_that_was_declined_is_not_asked_for_by_a_late_answer(open_page, locked):
    page, late = open_page(f"{locked[0]}/#/sweeps"), []
    page.route("**/v1/examples", lambda route: late.append(route))
    page.get_by_role("button", name="Without a key").click()
    page.evaluate("location.hash = '#/new'")
    page.get_by_role("button", name="Without a key").click()
    expect(page.locator("main .failure")).to_contain_text("A key is needed")
    with page.expect_response("**/v1/examples"):
        late[0].continue_()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_service_that_is_gone_is_missed_and_found_again(open_page, tmp_path):
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="none"))
    with serving(settings) as (url, service):
        sweep = submit(service, SMALL)
        page = open_page(f"{url}/#/sweeps/{sweep}")
        expect(state(page)).to_have_text("done")
        page.context.set_offline(True)
        page.get_by_role("link", name="Sweeps").click()
        expect(page.get_by_text("The service does not answer. What")).to_be_visible()
        expect(page.locator("main .failure")).to_contain_text("Offline")
        page.context.set_offline(False)
        expect(page.locator("#offline")).to_be_hidden()
        expect(page.get_by_role("link", name="small")).to_be_visible()
    page.get_by_role("link", name="New sweep").first.click()
    expect(page.locator("#offline")).to_be_visible()


def test_an_address_that_leads_nowhere_says_so(open_page, served):
    page = open_page(f"{served[0]}/#/nothing")
    expect(page.get_by_role("heading", name="No such view")).to_be_visible()
    page.goto(f"{served[0]}/#/sweeps/0123456789abcdef")
    expect(page.locator("main .failure")).to_contain_text("Not found")


@pytest.mark.parametrize("view", ["/sweeps", "/new", "/explore", "/sweeps/ID"])
def test_a_phone_shows_every_view_and_every_field_has_a_name(open_page, served, view):
    url, service = served
    view = view.replace("ID", submit(service, {**SMALL, "name": "w" * 120}))
    page = open_page(f"{url}/#{view}", PHONE)
    expect(page.locator("main .loading")).to_have_count(0)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate(UNNAMED) == []
    assert page.locator("h1").count() == 1
    for role in ("banner", "navigation", "main"):
        assert page.get_by_role(role).count() == 1


UNNAMED = """[...document.querySelectorAll("input, select, textarea, button, a")]
    .filter((e) => e.offsetParent && !e.closest(".plot"))
    .filter((e) => !(e.ariaLabel || e.labels?.length || e.textContent.trim()))
    .map((e) => e.outerHTML)"""
CONTRAST = """() => {
    const style = getComputedStyle(document.documentElement);
    const canvas = document.createElement("canvas").getContext("2d");
    const luminance = (name) => {
        canvas.fillStyle = style.getPropertyValue(name);
        const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        const parts = canvas.fillStyle.match(/[0-9a-f]{2}/g);
        const [r, g, b] = parts.map((part) => linear(parseInt(part, 16) / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    const ratio = (a, b) => Math.max(a / b, b / a);
    const pairs = ["--paper", "--surface", "--sunken"].flatMap((back) =>
        ["--ink", "--muted", "--accent", "--wrong"].map((fore) => [fore, back]));
    pairs.push(["--on-accent", "--accent"], ["--accent", "--soft"], ["--wrong", "--wrong-soft"]);
    return pairs
        .map(([fore, back]) => [fore, back, ratio(luminance(fore), luminance(back))]);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(open_page, served, scheme):
    page = open_page(served[0], color_scheme=scheme)
    for fore, back, ratio in page.evaluate(CONTRAST):
        assert ratio >= 4.5, (fore, back)  # WCAG 2.2, level AA
