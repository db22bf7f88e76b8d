"""Before a download: what comes, how much, and under which terms. Accepting is the only way to begin."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.model_rows import PlanSet, size_words
from gen2studio.models.catalog_entries import Licence
from gen2studio.ui import theme
from gen2studio.ui.dialogs.model_words import COMMERCIAL, plan_line
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.named import named, note


class LicenceDialog(QDialog):
    """Shows a :class:`PlanSet`; accepted = the artist accepted every text in it. ``unfit`` says why it won't run."""

    def __init__(self, plans: PlanSet, parent: QWidget, unfit: str = "") -> None:
        super().__init__(parent)
        self.setObjectName("modelLicenceDialog")
        first = next((plan.entry for plan in plans.plans if plan.entry.id == plans.wanted), plans.plans[-1].entry)
        self.setWindowTitle(f"Get {first.title}")
        self.resize(680, 580)
        self.plans = plans
        title = ElidedLabel(f"Get {first.title}", parent=self)
        title.setProperty("role", "heading")
        free = min(plan.free for plan in plans.plans)
        self.amount = note(self, "", "modelLicence.amount")
        self.amount.setText(plan_line(plans, free))
        self.where = note(self, "muted", "modelLicence.where")
        self.where.setText(f"Into {plans.plans[0].folder.parent}")
        self.listed = note(self, "muted", "modelLicence.listed")
        self.listed.setText("\n".join(_line(plan.entry.title, plan.to_fetch, plan.bytes) for plan in plans.plans))
        self.listed.setVisible(len(plans.plans) > 1)
        self.unfit = note(self, "warning", "modelLicence.unfit")
        self.unfit.setText(unfit)
        self.unfit.setVisible(bool(unfit))
        self.problem = note(self, "error", "modelLicence.problem")
        self.problem.setText(plans.problem)
        self.problem.setVisible(bool(plans.problem))
        self.tabs = QTabWidget(self)
        self.tabs.setObjectName("modelLicence.tabs")
        self.tabs.setAccessibleName("Terms")
        licences = {plan.licence.digest: plan.entry.licence for plan in plans.plans}
        for text, titles in plans.licences():
            self.tabs.addTab(_page(text.text, licences[text.digest], titles, text.accepted, self), text.title)
        self.tabs.tabBar().setElideMode(Qt.TextElideMode.ElideRight)
        self.accept_button = named(
            QPushButton("Accept and download", self), "modelLicence.accept", "Accept and download",
            "You have read the terms and accept them; the download begins (Ctrl+Return)",
        )  # fmt: skip
        self.accept_button.setProperty("primary", True)
        self.accept_button.setShortcut("Ctrl+Return")
        self.accept_button.setEnabled(not plans.problem)
        self.accept_button.clicked.connect(self.accept)
        leave = named(QPushButton("Not now", self), "modelLicence.leave", "Not now", "Download nothing (Esc)")
        leave.setAutoDefault(False)
        leave.clicked.connect(self.reject)
        foot = QHBoxLayout()
        said = note(self, "faint")
        count = self.tabs.count()
        said.setText("Accepting is noted with the date and the text’s hash; a copy of the text stays beside the files.")
        if count > 1:
            said.setText(f"All {count} texts are accepted together. {said.text()}")
        foot.addWidget(said, 1)
        foot.addWidget(leave)
        foot.addWidget(self.accept_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(8)
        for widget in (title, self.amount, self.listed, self.where, self.unfit, self.problem):
            layout.addWidget(widget)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(foot)
        self.accept_button.setFocus()


def _line(title: str, to_fetch: int, total: int) -> str:
    here = " · on this machine already" if total and not to_fetch else ""
    return f"{title} · {size_words(total)}{here}"


def _page(text: str, licence: Licence, titles: tuple[str, ...], accepted: str, parent: QWidget) -> QWidget:
    page = QWidget(parent)
    head = note(page, "warning" if licence.commercial != "yes" else "")
    head.setText(f"{COMMERCIAL[licence.commercial]} · for {', '.join(titles)}")
    conditions = note(page, "muted")
    conditions.setText("\n".join(f"• {condition}" for condition in licence.conditions))
    conditions.setVisible(bool(licence.conditions))
    body = named(QPlainTextEdit(page), "modelLicence.text", f"Text of {licence.title}")
    body.setToolTip("")
    body.setReadOnly(True)
    body.setPlainText(text)
    body.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
    body.document().setMetaInformation(QTextDocument.MetaInformation.DocumentTitle, licence.title)
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 8, 0, 0)
    layout.setSpacing(theme.SPACING)
    layout.addWidget(head)
    layout.addWidget(conditions)
    if accepted:
        before = note(page, "muted")
        before.setText(f"You accepted this text on {accepted}.")
        layout.addWidget(before)
    layout.addWidget(body, 1)
    return page
